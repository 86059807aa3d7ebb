
use builtin;
use str;

set edit:completion:arg-completer[nsmctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'nsmctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'nsmctl'= {
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand deploy 'Apply the manifests, wait until everything is ready, verify, and print the table'
            cand verify 'Check every connection against what its manifests promise'
            cand troubleshoot 'Name the causes of what is broken, with evidence and fix, and walk the path of each connection'
            cand explain 'Say what a cause is: what shows it, what it is not, how it works and how it is mended'
            cand cleanup 'Remove everything that deploy made, wait until it is gone, and prove it'
            cand exec 'Run a program in the right container of the right pod; its exit code is nsmctl''s'
            cand logs 'Show what was logged on the way of a connection, by all who take part, in the order of time'
            cand manifests 'Print what deploy would apply, or the images that it takes'
            cand completions 'Print the completions of a shell'
            cand engine 'The engine of this machine; deploy starts it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'nsmctl;deploy'= {
            cand --junit 'Write the findings into this file too, as JUnit''s XML, however the command ends'
            cand --json 'Write the report into this file too, as JSON, however the command ends'
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --dry-run 'Ask the cluster what would be done, and do nothing'
            cand --diff 'Show what would be changed, and do nothing; the exit code is 0 where nothing would, else 1'
            cand --atomic 'Remove again what was made if the deploy does not end well'
            cand --force-conflicts 'Take over fields that somebody else has set'
            cand --skip-preflight 'Do not look first whether the cluster is fit'
            cand --timings 'Say how the time divides'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;verify'= {
            cand -l 'The clients with these labels, as in app=alpine or ''tier in (a,b)'''
            cand --selector 'The clients with these labels, as in app=alpine or ''tier in (a,b)'''
            cand --client 'The client of this name: a workload''s or a pod''s'
            cand --count 'How many pings each way'
            cand --interval 'The time between two pings'
            cand --max-loss 'How many of them may be lost, in percent'
            cand --max-rtt 'How long the mean round trip may take, as in 5ms'
            cand --debug-image 'The image of the container that is put into a pod whose own have no ip or ping; empty for none'
            cand --watch 'Keep verifying and print what changes, with a pause between two looks'
            cand --select 'Judge by these checks only; --list-checks has their ids'
            cand --skip 'Do not judge by these checks'
            cand --junit 'Write the findings into this file too, as JUnit''s XML, however the command ends'
            cand --json 'Write the report into this file too, as JSON, however the command ends'
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -A 'Every client of NSM''s in all namespaces, whoever deployed it'
            cand --all-namespaces 'Every client of NSM''s in all namespaces, whoever deployed it'
            cand --heal 'Delete the endpoint''s pod and measure how long the connection takes to work again'
            cand --list-checks 'Say which checks there are, and look at nothing'
            cand --schema 'Print the JSON Schema of the report that -o json prints, and look at nothing'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;troubleshoot'= {
            cand -l 'The clients with these labels, as in app=alpine or ''tier in (a,b)'''
            cand --selector 'The clients with these labels, as in app=alpine or ''tier in (a,b)'''
            cand --client 'The client of this name: a workload''s or a pod''s'
            cand --bundle 'Write what was seen into this file, without secrets, so that it can be judged elsewhere'
            cand --from 'Judge by a file that --bundle has written, or - for standard input, and look at nothing'
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -A 'Every client of NSM''s in all namespaces, whoever deployed it'
            cand --all-namespaces 'Every client of NSM''s in all namespaces, whoever deployed it'
            cand -v 'Show all the evidence and all that follows, not only the telling part of it'
            cand --verbose 'Show all the evidence and all that follows, not only the telling part of it'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;explain'= {
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --list 'Say which causes there are'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;cleanup'= {
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --dry-run 'Only say what would be removed'
            cand --force 'Take the finalizers off what does not go by itself, after saying so'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;exec'= {
            cand -c 'The container, instead of the workload''s own'
            cand --container 'The container, instead of the workload''s own'
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -i 'Pass on standard input, until its end'
            cand --stdin 'Pass on standard input, until its end'
            cand -t 'Give the program a terminal, where standard input is one'
            cand --tty 'Give the program a terminal, where standard input is one'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;logs'= {
            cand --since 'Only what was logged within this time before now, as in 90s or 10m'
            cand --tail 'How many lines of each log at most'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -f 'Go on with what is logged from now on, until Ctrl-C'
            cand --follow 'Go on with what is logged from now on, until Ctrl-C'
            cand --no-prefix 'Leave out who logged a line'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;manifests'= {
            cand --out 'Write a file for each object into this directory, which is made, and list them'
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
            cand images 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of'
            cand rbac 'The least role that suffices for all commands, for an administrator to grant'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'nsmctl;manifests;images'= {
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;manifests;rbac'= {
            cand --cidr 'The addresses of the endpoint (NSM_CIDR_PREFIX), as in 10.0.0.0/29 or 10.0.0.0/29,2001:db8::/125'
            cand --clients 'How many pods each client has; a Pod is copied, a Deployment or StatefulSet scaled'
            cand --payload 'What travels over every network service'
            cand --name-prefix 'What all names begin with, so that a second deployment stands beside the first'
            cand --image-registry 'The registry that all images come from, as in mirror.example.com/nsm'
            cand --image 'The image of a container; may be given several times, and counts before --image-registry'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --cross-node 'Keep clients off the nodes of their endpoints, so that the connection crosses the network'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;manifests;help'= {
            cand images 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of'
            cand rbac 'The least role that suffices for all commands, for an administrator to grant'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'nsmctl;manifests;help;images'= {
        }
        &'nsmctl;manifests;help;rbac'= {
        }
        &'nsmctl;manifests;help;help'= {
        }
        &'nsmctl;completions'= {
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;engine'= {
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -h 'Print help'
            cand --help 'Print help'
            cand run 'Run the engine in this process'
            cand probe 'Say whether an engine could make its namespaces and links here'
            cand enter 'Become a program in the network namespace of a pod'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'nsmctl;engine;run'= {
            cand --dir 'The directory of its socket, log and lock'
            cand --svid-ttl 'How long the X.509 SVIDs are valid that it gives to the programs in its sandboxes'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;engine;probe'= {
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;engine;enter'= {
            cand --net 'The file of the network namespace'
            cand --user 'The file of the user namespace that it belongs to, where that is not ours'
            cand --target 'Where to work; auto takes the cluster where a kubeconfig resolves, else this machine'
            cand --context 'The kubeconfig''s context'
            cand --kubeconfig 'The kubeconfig, instead of $KUBECONFIG and ~/.kube/config'
            cand -n 'The namespace of the deployment, instead of the one in the manifests'
            cand --namespace 'The namespace of the deployment, instead of the one in the manifests'
            cand -f 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --manifests 'The manifests, instead of the example''s: a file, a directory, or - for standard input'
            cand --timeout 'The time budget of the whole command, as in 90s or 2m'
            cand -o 'The form of the report on standard output'
            cand --output 'The form of the report on standard output'
            cand --terminal 'Standard input is a terminal that is to be the program''s own'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'nsmctl;engine;help'= {
            cand run 'Run the engine in this process'
            cand probe 'Say whether an engine could make its namespaces and links here'
            cand enter 'Become a program in the network namespace of a pod'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'nsmctl;engine;help;run'= {
        }
        &'nsmctl;engine;help;probe'= {
        }
        &'nsmctl;engine;help;enter'= {
        }
        &'nsmctl;engine;help;help'= {
        }
        &'nsmctl;help'= {
            cand deploy 'Apply the manifests, wait until everything is ready, verify, and print the table'
            cand verify 'Check every connection against what its manifests promise'
            cand troubleshoot 'Name the causes of what is broken, with evidence and fix, and walk the path of each connection'
            cand explain 'Say what a cause is: what shows it, what it is not, how it works and how it is mended'
            cand cleanup 'Remove everything that deploy made, wait until it is gone, and prove it'
            cand exec 'Run a program in the right container of the right pod; its exit code is nsmctl''s'
            cand logs 'Show what was logged on the way of a connection, by all who take part, in the order of time'
            cand manifests 'Print what deploy would apply, or the images that it takes'
            cand completions 'Print the completions of a shell'
            cand engine 'The engine of this machine; deploy starts it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'nsmctl;help;deploy'= {
        }
        &'nsmctl;help;verify'= {
        }
        &'nsmctl;help;troubleshoot'= {
        }
        &'nsmctl;help;explain'= {
        }
        &'nsmctl;help;cleanup'= {
        }
        &'nsmctl;help;exec'= {
        }
        &'nsmctl;help;logs'= {
        }
        &'nsmctl;help;manifests'= {
            cand images 'The images of all containers, one a line: what a cluster without access to their registries needs a mirror of'
            cand rbac 'The least role that suffices for all commands, for an administrator to grant'
        }
        &'nsmctl;help;manifests;images'= {
        }
        &'nsmctl;help;manifests;rbac'= {
        }
        &'nsmctl;help;completions'= {
        }
        &'nsmctl;help;engine'= {
            cand run 'Run the engine in this process'
            cand probe 'Say whether an engine could make its namespaces and links here'
            cand enter 'Become a program in the network namespace of a pod'
        }
        &'nsmctl;help;engine;run'= {
        }
        &'nsmctl;help;engine;probe'= {
        }
        &'nsmctl;help;engine;enter'= {
        }
        &'nsmctl;help;help'= {
        }
    ]
    $completions[$command]
}
