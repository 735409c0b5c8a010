#compdef spin
# Completion of `spin` in zsh, which asks `spin` itself.
_spin() {
    local -a candidates
    candidates=(${(f)"$(@SPIN@ completions candidates -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#candidates )); then
        compadd -- $candidates
    else
        _files
    fi
}
compdef _spin spin
