# elvish completion for nsmctl; `nsmctl completions elvish` prints it. What is offered is asked of nsmctl itself.
use str

fn nsmctl-complete {|@words|
    try {
        (external $words[0]) __complete -- (all $words[1..]) 2>/dev/null </dev/null | from-lines | each {|line|
            var value @about = (str:split &max=2 "\t" $line)
            var suffix = ' '
            if (or (str:has-suffix $value '=') (str:has-suffix $value '/')) {
                set suffix = ''
            }
            var display = $value
            if (> (count $about) 0) {
                set display = $value' ('$about[0]')'
            }
            edit:complex-candidate $value &display=$display &code-suffix=$suffix
        }
    } catch e {
        # Nothing is offered.
        nop $e
    }
}
set edit:completion:arg-completer[nsmctl] = $nsmctl-complete~
set edit:completion:arg-completer[kubectl-nsm] = $nsmctl-complete~
