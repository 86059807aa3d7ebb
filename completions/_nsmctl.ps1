
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'nsmctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'nsmctl'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'nsmctl' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('deploy', 'deploy', [CompletionResultType]::ParameterValue, 'Apply the manifests, wait until everything is ready, verify, and print the table')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every connection against what its manifests promise')
            [CompletionResult]::new('troubleshoot', 'troubleshoot', [CompletionResultType]::ParameterValue, 'Name the causes of what is broken, with evidence and fix, and walk the path of each connection')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Say what a cause is: what shows it, what it is not, how it works and how it is mended')
            [CompletionResult]::new('cleanup', 'cleanup', [CompletionResultType]::ParameterValue, 'Remove everything that deploy made, wait until it is gone, and prove it')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a program in the right container of the right pod; its exit code is nsmctl''s')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what was logged on the way of a connection, by all who take part, in the order of time')
            [CompletionResult]::new('manifests', 'manifests', [CompletionResultType]::ParameterValue, 'Print what deploy would apply, or the images that it takes')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions of a shell')
            [CompletionResult]::new('engine', 'engine', [CompletionResultType]::ParameterValue, 'The engine of this machine; deploy starts it')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nsmctl;deploy' {
            [CompletionResult]::new('--junit', '--junit', [CompletionResultType]::ParameterName, 'Write the findings into this file too, as JUnit''s XML, however the command ends')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Write the report into this file too, as JSON, however the command ends')
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Ask the cluster what would be done, and do nothing')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show what would be changed, and do nothing; the exit code is 0 where nothing would, else 1')
            [CompletionResult]::new('--atomic', '--atomic', [CompletionResultType]::ParameterName, 'Remove again what was made if the deploy does not end well')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'Take over fields that somebody else has set')
            [CompletionResult]::new('--skip-preflight', '--skip-preflight', [CompletionResultType]::ParameterName, 'Do not look first whether the cluster is fit')
            [CompletionResult]::new('--timings', '--timings', [CompletionResultType]::ParameterName, 'Say how the time divides')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;verify' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'The clients with these labels, as in app=alpine or ''tier in (a,b)''')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'The clients with these labels, as in app=alpine or ''tier in (a,b)''')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'The client of this name: a workload''s or a pod''s')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'How many pings each way')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'The time between two pings')
            [CompletionResult]::new('--max-loss', '--max-loss', [CompletionResultType]::ParameterName, 'How many of them may be lost, in percent')
            [CompletionResult]::new('--max-rtt', '--max-rtt', [CompletionResultType]::ParameterName, 'How long the mean round trip may take, as in 5ms')
            [CompletionResult]::new('--debug-image', '--debug-image', [CompletionResultType]::ParameterName, 'The image of the container that is put into a pod whose own have no ip or ping; empty for none')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Keep verifying and print what changes, with a pause between two looks')
            [CompletionResult]::new('--select', '--select', [CompletionResultType]::ParameterName, 'Judge by these checks only; --list-checks has their ids')
            [CompletionResult]::new('--skip', '--skip', [CompletionResultType]::ParameterName, 'Do not judge by these checks')
            [CompletionResult]::new('--junit', '--junit', [CompletionResultType]::ParameterName, 'Write the findings into this file too, as JUnit''s XML, however the command ends')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Write the report into this file too, as JSON, however the command ends')
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Every client of NSM''s in all namespaces, whoever deployed it')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Every client of NSM''s in all namespaces, whoever deployed it')
            [CompletionResult]::new('--heal', '--heal', [CompletionResultType]::ParameterName, 'Delete the endpoint''s pod and measure how long the connection takes to work again')
            [CompletionResult]::new('--list-checks', '--list-checks', [CompletionResultType]::ParameterName, 'Say which checks there are, and look at nothing')
            [CompletionResult]::new('--schema', '--schema', [CompletionResultType]::ParameterName, 'Print the JSON Schema of the report that -o json prints, and look at nothing')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;troubleshoot' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'The clients with these labels, as in app=alpine or ''tier in (a,b)''')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'The clients with these labels, as in app=alpine or ''tier in (a,b)''')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'The client of this name: a workload''s or a pod''s')
            [CompletionResult]::new('--bundle', '--bundle', [CompletionResultType]::ParameterName, 'Write what was seen into this file, without secrets, so that it can be judged elsewhere')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Judge by a file that --bundle has written, or - for standard input, and look at nothing')
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Every client of NSM''s in all namespaces, whoever deployed it')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Every client of NSM''s in all namespaces, whoever deployed it')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show all the evidence and all that follows, not only the telling part of it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show all the evidence and all that follows, not only the telling part of it')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;explain' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Say which causes there are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;cleanup' {
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only say what would be removed')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Take the finalizers off what does not go by itself, after saying so')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;exec' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'The container, instead of the workload''s own')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'The container, instead of the workload''s own')
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pass on standard input, until its end')
            [CompletionResult]::new('--stdin', '--stdin', [CompletionResultType]::ParameterName, 'Pass on standard input, until its end')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Give the program a terminal, where standard input is one')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Give the program a terminal, where standard input is one')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;logs' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only what was logged within this time before now, as in 90s or 10m')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'How many lines of each log at most')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on with what is logged from now on, until Ctrl-C')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with what is logged from now on, until Ctrl-C')
            [CompletionResult]::new('--no-prefix', '--no-prefix', [CompletionResultType]::ParameterName, 'Leave out who logged a line')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;manifests' {
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write a file for each object into this directory, which is made, and list them')
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of')
            [CompletionResult]::new('rbac', 'rbac', [CompletionResultType]::ParameterValue, 'The least role that suffices for all commands, for an administrator to grant')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nsmctl;manifests;images' {
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;manifests;rbac' {
            [CompletionResult]::new('--cidr', '--cidr', [CompletionResultType]::ParameterName, 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125')
            [CompletionResult]::new('--clients', '--clients', [CompletionResultType]::ParameterName, 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled')
            [CompletionResult]::new('--payload', '--payload', [CompletionResultType]::ParameterName, 'What travels over every network service')
            [CompletionResult]::new('--name-prefix', '--name-prefix', [CompletionResultType]::ParameterName, 'What all names begin with, so that a second deployment stands beside the first')
            [CompletionResult]::new('--image-registry', '--image-registry', [CompletionResultType]::ParameterName, 'The registry that all images come from, as in mirror.example.com/nsm')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'The image of a container; may be given several times, and counts before --image-registry')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--cross-node', '--cross-node', [CompletionResultType]::ParameterName, 'Keep clients off the nodes of their endpoints, so that the connection crosses the network')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;manifests;help' {
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of')
            [CompletionResult]::new('rbac', 'rbac', [CompletionResultType]::ParameterValue, 'The least role that suffices for all commands, for an administrator to grant')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nsmctl;manifests;help;images' {
            break
        }
        'nsmctl;manifests;help;rbac' {
            break
        }
        'nsmctl;manifests;help;help' {
            break
        }
        'nsmctl;completions' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;engine' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run the engine in this process')
            [CompletionResult]::new('probe', 'probe', [CompletionResultType]::ParameterValue, 'Say whether an engine could make its namespaces and links here')
            [CompletionResult]::new('enter', 'enter', [CompletionResultType]::ParameterValue, 'Become a program in the network namespace of a pod')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nsmctl;engine;run' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'The directory of its socket, log and lock')
            [CompletionResult]::new('--svid-ttl', '--svid-ttl', [CompletionResultType]::ParameterName, 'How long the X.509 SVIDs are valid that it gives to the programs in its sandboxes')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;engine;probe' {
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;engine;enter' {
            [CompletionResult]::new('--net', '--net', [CompletionResultType]::ParameterName, 'The file of the network namespace')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'The file of the user namespace that it belongs to, where that is not ours')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'The kubeconfig''s context')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'The namespace of the deployment, instead of the one in the manifests')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--manifests', '--manifests', [CompletionResultType]::ParameterName, 'The manifests, instead of the example''s: a file, a directory, or - for standard input')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The time budget of the whole command, as in 90s or 2m')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The form of the report on standard output')
            [CompletionResult]::new('--terminal', '--terminal', [CompletionResultType]::ParameterName, 'Standard input is a terminal that is to be the program''s own')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'nsmctl;engine;help' {
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run the engine in this process')
            [CompletionResult]::new('probe', 'probe', [CompletionResultType]::ParameterValue, 'Say whether an engine could make its namespaces and links here')
            [CompletionResult]::new('enter', 'enter', [CompletionResultType]::ParameterValue, 'Become a program in the network namespace of a pod')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nsmctl;engine;help;run' {
            break
        }
        'nsmctl;engine;help;probe' {
            break
        }
        'nsmctl;engine;help;enter' {
            break
        }
        'nsmctl;engine;help;help' {
            break
        }
        'nsmctl;help' {
            [CompletionResult]::new('deploy', 'deploy', [CompletionResultType]::ParameterValue, 'Apply the manifests, wait until everything is ready, verify, and print the table')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every connection against what its manifests promise')
            [CompletionResult]::new('troubleshoot', 'troubleshoot', [CompletionResultType]::ParameterValue, 'Name the causes of what is broken, with evidence and fix, and walk the path of each connection')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Say what a cause is: what shows it, what it is not, how it works and how it is mended')
            [CompletionResult]::new('cleanup', 'cleanup', [CompletionResultType]::ParameterValue, 'Remove everything that deploy made, wait until it is gone, and prove it')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a program in the right container of the right pod; its exit code is nsmctl''s')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show what was logged on the way of a connection, by all who take part, in the order of time')
            [CompletionResult]::new('manifests', 'manifests', [CompletionResultType]::ParameterValue, 'Print what deploy would apply, or the images that it takes')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions of a shell')
            [CompletionResult]::new('engine', 'engine', [CompletionResultType]::ParameterValue, 'The engine of this machine; deploy starts it')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nsmctl;help;deploy' {
            break
        }
        'nsmctl;help;verify' {
            break
        }
        'nsmctl;help;troubleshoot' {
            break
        }
        'nsmctl;help;explain' {
            break
        }
        'nsmctl;help;cleanup' {
            break
        }
        'nsmctl;help;exec' {
            break
        }
        'nsmctl;help;logs' {
            break
        }
        'nsmctl;help;manifests' {
            [CompletionResult]::new('images', 'images', [CompletionResultType]::ParameterValue, 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of')
            [CompletionResult]::new('rbac', 'rbac', [CompletionResultType]::ParameterValue, 'The least role that suffices for all commands, for an administrator to grant')
            break
        }
        'nsmctl;help;manifests;images' {
            break
        }
        'nsmctl;help;manifests;rbac' {
            break
        }
        'nsmctl;help;completions' {
            break
        }
        'nsmctl;help;engine' {
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run the engine in this process')
            [CompletionResult]::new('probe', 'probe', [CompletionResultType]::ParameterValue, 'Say whether an engine could make its namespaces and links here')
            [CompletionResult]::new('enter', 'enter', [CompletionResultType]::ParameterValue, 'Become a program in the network namespace of a pod')
            break
        }
        'nsmctl;help;engine;run' {
            break
        }
        'nsmctl;help;engine;probe' {
            break
        }
        'nsmctl;help;engine;enter' {
            break
        }
        'nsmctl;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
