# bash completion for nsmctl; `nsmctl completions bash` prints it. What is offered is asked of nsmctl itself.
_nsmctl() {
    local rest=$COMP_LINE line value mark tail cut='' i
    local -a words=() values=()
    # Bash cuts words at = and : too, and nsmctl is asked with the words as they stand in the line.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if [[ $i -eq 0 || $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words+=("${COMP_WORDS[i]}")
        else
            words[${#words[@]} - 1]+=${COMP_WORDS[i]}
        fi
        rest=${rest#"${COMP_WORDS[i]}"}
    done
    while IFS= read -r line; do
        values+=("${line%%$'\t'*}")
    done < <("${words[0]/#\~/$HOME}" __complete -- "${words[@]:1}" 2>/dev/null </dev/null)
    # Of a word with = or : in it, Bash puts in only what follows the last one.
    tail=${words[${#words[@]} - 1]}
    for mark in = :; do
        [[ $COMP_WORDBREAKS == *"$mark"* ]] && tail=${tail##*"$mark"}
    done
    cut=${words[${#words[@]} - 1]%"$tail"}
    COMPREPLY=()
    ((${#values[@]})) || return 0
    for value in "${values[@]}"; do
        value=${value#"$cut"}
        [[ $value == *[[:space:]\'\"\\\$\`\&\|\;\<\>\(\)\*\?\#]* ]] && printf -v value %q "$value"
        COMPREPLY+=("$value")
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        # Not in the Bash 3.2 of macOS.
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -o nosort -F _nsmctl nsmctl kubectl-nsm 2>/dev/null || complete -F _nsmctl nsmctl kubectl-nsm
