# PowerShell completion for nsmctl; `nsmctl completions powershell` prints it. What is offered is asked of nsmctl itself.
Register-ArgumentCompleter -Native -CommandName nsmctl, kubectl-nsm -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { $_.Extent.Text })
    $arguments = @('__complete')
    # An empty argument does not reach a program in every version of PowerShell.
    if (-not $wordToComplete) { $arguments += '--new' }
    $arguments += '--'
    $arguments += @($words | Select-Object -Skip 1)
    & $words[0] $arguments 2>$null | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        if (-not $about) { $about = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
    }
}
