use crate::{
    machine::{Machine, bare, plan},
    sandboxed::Sandboxed,
};

#[tokio::test]
async fn spires_own_client_takes_an_identity_and_judges_it() {
    let machine = Machine::new();
    machine.apply(&plan("example", vec![], vec![bare("alpine")])).await;
    let socket = ["-socketPath", "/run/spire/sockets/agent.sock"];
    let run = async |arguments: &[&str]| {
        let mut agent = Sandboxed::start(&machine, "alpine", "spire-agent", &[arguments, &socket].concat(), &[]).await;
        assert!(agent.ended().await, "{}", agent.log());
        agent.log()
    };
    let x509 = run(&["api", "fetch", "x509"]).await;
    assert!(x509.contains("Received 1 svid") && x509.contains(".nsm.local/ns/ns-test/pod/alpine"), "{x509}");

    let jwt = run(&["api", "fetch", "jwt", "-audience", "me"]).await;
    let token = jwt.lines().map(str::trim).find(|line| line.starts_with("ey")).unwrap_or_else(|| panic!("{jwt}"));
    let valid = run(&["api", "validate", "jwt", "-audience", "me", "-svid", token]).await;
    assert!(valid.contains("SVID is valid") && valid.contains("/ns/ns-test/pod/alpine"), "{valid}");
}
