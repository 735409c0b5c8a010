# Completion of `spin` in fish, which asks `spin` itself.
function __spin_candidates
    set -l words (commandline -opc) (commandline -ct)
    set -l candidates (@SPIN@ completions candidates -- $words[2..] 2>/dev/null)
    if set -q candidates[1]
        printf '%s\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c spin -f -a '(__spin_candidates)'
