# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nsmctl_global_optspecs
    string join \n target= context= kubeconfig= n/namespace= f/manifests= timeout= o/output= h/help V/version
end

function __fish_nsmctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nsmctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nsmctl_using_subcommand
    set -l cmd (__fish_nsmctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nsmctl -n "__fish_nsmctl_needs_command" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_needs_command" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_needs_command" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_needs_command" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_needs_command" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_needs_command" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_needs_command" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_needs_command" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -s V -l version -d 'Print version'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "deploy" -d 'Apply the manifests, wait until everything is ready, verify, and print the table'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "verify" -d 'Check every connection against what its manifests promise'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "troubleshoot" -d 'Name the causes of what is broken, with evidence and fix, and walk the path of each connection'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "explain" -d 'Say what a cause is: what shows it, what it is not, how it works and how it is mended'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "cleanup" -d 'Remove everything that deploy made, wait until it is gone, and prove it'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "exec" -d 'Run a program in the right container of the right pod; its exit code is nsmctl\'s'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "logs" -d 'Show what was logged on the way of a connection, by all who take part, in the order of time'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "manifests" -d 'Print what deploy would apply, or the images that it takes'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "engine" -d 'The engine of this machine; deploy starts it'
complete -c nsmctl -n "__fish_nsmctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l junit -d 'Write the findings into this file too, as JUnit\'s XML, however the command ends' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l json -d 'Write the report into this file too, as JSON, however the command ends' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l dry-run -d 'Ask the cluster what would be done, and do nothing'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l diff -d 'Show what would be changed, and do nothing; the exit code is 0 where nothing would, else 1'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l atomic -d 'Remove again what was made if the deploy does not end well'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l force-conflicts -d 'Take over fields that somebody else has set'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l skip-preflight -d 'Do not look first whether the cluster is fit'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l timings -d 'Say how the time divides'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand deploy" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -s l -l selector -d 'The clients with these labels, as in app=alpine or \'tier in (a,b)\'' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l client -d 'The client of this name: a workload\'s or a pod\'s' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l count -d 'How many pings each way' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l interval -d 'The time between two pings' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l max-loss -d 'How many of them may be lost, in percent' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l max-rtt -d 'How long the mean round trip may take, as in 5ms' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l debug-image -d 'The image of the container that is put into a pod whose own have no ip or ping; empty for none' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l watch -d 'Keep verifying and print what changes, with a pause between two looks' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l select -d 'Judge by these checks only; --list-checks has their ids' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l skip -d 'Do not judge by these checks' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l junit -d 'Write the findings into this file too, as JUnit\'s XML, however the command ends' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l json -d 'Write the report into this file too, as JSON, however the command ends' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -s A -l all-namespaces -d 'Every client of NSM\'s in all namespaces, whoever deployed it'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l heal -d 'Delete the endpoint\'s pod and measure how long the connection takes to work again'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l list-checks -d 'Say which checks there are, and look at nothing'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l schema -d 'Print the JSON Schema of the report that -o json prints, and look at nothing'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand verify" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s l -l selector -d 'The clients with these labels, as in app=alpine or \'tier in (a,b)\'' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l client -d 'The client of this name: a workload\'s or a pod\'s' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l bundle -d 'Write what was seen into this file, without secrets, so that it can be judged elsewhere' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l from -d 'Judge by a file that --bundle has written, or - for standard input, and look at nothing' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s A -l all-namespaces -d 'Every client of NSM\'s in all namespaces, whoever deployed it'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s v -l verbose -d 'Show all the evidence and all that follows, not only the telling part of it'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand troubleshoot" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -l list -d 'Say which causes there are'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand explain" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l dry-run -d 'Only say what would be removed'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l force -d 'Take the finalizers off what does not go by itself, after saying so'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand cleanup" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s c -l container -d 'The container, instead of the workload\'s own' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s i -l stdin -d 'Pass on standard input, until its end'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s t -l tty -d 'Give the program a terminal, where standard input is one'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand exec" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l since -d 'Only what was logged within this time before now, as in 90s or 10m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l tail -d 'How many lines of each log at most' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -s f -l follow -d 'Go on with what is logged from now on, until Ctrl-C'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l no-prefix -d 'Leave out who logged a line'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand logs" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l out -d 'Write a file for each object into this directory, which is made, and list them' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -f -a "images" -d 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -f -a "rbac" -d 'The least role that suffices for all commands, for an administrator to grant'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and not __fish_seen_subcommand_from images rbac help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from images" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l cidr -d 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l clients -d 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l payload -d 'What travels over every network service' -r -f -a "ethernet\t'Ethernet frames'
ip\t'IP packets'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l name-prefix -d 'What all names begin with, so that a second deployment stands beside the first' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l image-registry -d 'The registry that all images come from, as in mirror.example.com/nsm' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l image -d 'The image of a container; may be given several times, and counts before --image-registry' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -l cross-node -d 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from rbac" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from help" -f -a "images" -d 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from help" -f -a "rbac" -d 'The least role that suffices for all commands, for an administrator to grant'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand manifests; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -f -a "run" -d 'Run the engine in this process'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -f -a "probe" -d 'Say whether an engine could make its namespaces and links here'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -f -a "enter" -d 'Become a program in the network namespace of a pod'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and not __fish_seen_subcommand_from run probe enter help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -l dir -d 'The directory of its socket, log and lock' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -l svid-ttl -d 'How long the X.509 SVIDs are valid that it gives to the programs in its sandboxes' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from probe" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l net -d 'The file of the network namespace' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l user -d 'The file of the user namespace that it belongs to, where that is not ours' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l target -d 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine' -r -f -a "auto\t'The cluster where a kubeconfig resolves, else this machine'
cluster\t'A Kubernetes cluster'
local\t'This machine'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l context -d 'The kubeconfig\'s context' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l kubeconfig -d 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -s n -l namespace -d 'The namespace of the deployment, instead of the one in the manifests' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -s f -l manifests -d 'The manifests, instead of the example\'s: a file, a directory, or - for standard input' -r -F
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l timeout -d 'The time budget of the whole command, as in 90s or 2m' -r
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -s o -l output -d 'The form of the report on standard output' -r -f -a "table\t'For people'
short\t'For grep: a line for each finding that is not as promised'
json\t'For programs'
junit\t'For CI systems'"
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -l terminal -d 'Standard input is a terminal that is to be the program\'s own'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from enter" -s h -l help -d 'Print help'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run the engine in this process'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "probe" -d 'Say whether an engine could make its namespaces and links here'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "enter" -d 'Become a program in the network namespace of a pod'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "deploy" -d 'Apply the manifests, wait until everything is ready, verify, and print the table'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "verify" -d 'Check every connection against what its manifests promise'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "troubleshoot" -d 'Name the causes of what is broken, with evidence and fix, and walk the path of each connection'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "explain" -d 'Say what a cause is: what shows it, what it is not, how it works and how it is mended'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "cleanup" -d 'Remove everything that deploy made, wait until it is gone, and prove it'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "exec" -d 'Run a program in the right container of the right pod; its exit code is nsmctl\'s'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "logs" -d 'Show what was logged on the way of a connection, by all who take part, in the order of time'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "manifests" -d 'Print what deploy would apply, or the images that it takes'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "completions" -d 'Print the completions of a shell'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "engine" -d 'The engine of this machine; deploy starts it'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and not __fish_seen_subcommand_from deploy verify troubleshoot explain cleanup exec logs manifests completions engine help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and __fish_seen_subcommand_from manifests" -f -a "images" -d 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and __fish_seen_subcommand_from manifests" -f -a "rbac" -d 'The least role that suffices for all commands, for an administrator to grant'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "run" -d 'Run the engine in this process'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "probe" -d 'Say whether an engine could make its namespaces and links here'
complete -c nsmctl -n "__fish_nsmctl_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "enter" -d 'Become a program in the network namespace of a pod'
