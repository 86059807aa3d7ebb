# fish completion for nsmctl; `nsmctl completions fish` prints it. What is offered is asked of nsmctl itself.
function __nsmctl_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l program (string replace --regex '^~' $HOME -- $words[1])
    $program __complete -- $words[2..-1] "$current" 2>/dev/null </dev/null
end
for program in nsmctl kubectl-nsm
    complete --command $program --erase
    complete --command $program --no-files --keep-order --arguments '(__nsmctl_complete)'
end
