# Completion of `spin` in bash, which asks `spin` itself.
_spin() {
    # bash divides words at @ and = too, so the line is divided here, at spaces alone.
    local line=${COMP_LINE:0:COMP_POINT} IFS=$' \t\n'
    local -a words
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then
        words+=("")
    fi
    local current=${words[${#words[@]} - 1]} candidate
    COMPREPLY=()
    while read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(@SPIN@ completions candidates -- "${words[@]:1}" 2>/dev/null)
    # Of a word that bash has divided, it puts in the last part only: what is behind an =, or what an @ begins.
    local prefix=
    if [[ $current == *=* && $COMP_WORDBREAKS == *=* ]]; then
        prefix=${current%=*}=
    fi
    if [[ $current == *@* && $COMP_WORDBREAKS == *@* ]]; then
        prefix=${current%@*}
    fi
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
}
complete -o bashdefault -o default -F _spin spin
