use super::*;
use crate::engine::identity::Identity;

struct Cast {
    identity: Identity,
}

impl Cast {
    fn new() -> Self {
        Self { identity: Identity::new(Duration::from_secs(3600)).unwrap() }
    }

    fn who(&self, name: &str) -> std::sync::Arc<Source> {
        self.identity.source(&self.identity.domain().id(&[name]).unwrap()).unwrap()
    }

    fn token(&self, from: &str, to: &str) -> String {
        self.who(from).token(&self.who(from).svid(), self.who(to).id(), Duration::from_secs(60)).unwrap().0
    }

    fn caller(&self, from: &str, to: &str) -> (String, Claims) {
        let token = self.token(from, to);
        let claims = decode(&token).unwrap();
        (token, claims)
    }
}

fn path(index: u32, segments: &[(&str, &str)]) -> Path {
    let segment = |(name, id): &(&str, &str)| PathSegment { name: (*name).into(), id: (*id).into(), ..PathSegment::default() };
    Path { index, path_segments: segments.iter().map(segment).collect() }
}

#[test]
fn a_chain_holds_when_each_has_passed_it_to_the_next() {
    let cast = Cast::new();
    let (first, second) = (cast.token("a", "b"), cast.token("b", "c"));
    let own = cast.who("c").id().clone();
    assert!(check_chain(&[&first, &second], &own).is_ok() && check_chain(&[&second], &own).is_ok());
    let message = |tokens: &[&str]| check_chain(tokens, &own).unwrap_err().message().to_owned();
    assert!(message(&[&second, &first]).contains("not chained"), "in another order");
    assert!(message(&[&first]).contains("not chained"), "not for us");
    assert!(message(&["x", &second]).contains("malformed"));
    let over = cast.who("a").token(&cast.who("a").svid(), cast.who("b").id(), Duration::ZERO).unwrap().0;
    assert!(message(&[&over, &second]).contains("expired"));
}

#[test]
fn a_caller_is_believed_with_its_own_token_only() {
    let cast = Cast::new();
    let (own, peer) = (cast.who("nsmgr").id().clone(), cast.who("a"));
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&peer.svid().private_key.clone().into(), &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let peer = Peer { id: peer.id().clone(), public_key: key.public_key_raw().to_vec() };
    let with = |tokens: &[String]| {
        let mut metadata = MetadataMap::new();
        for token in tokens {
            metadata.append(TOKEN, token.parse().unwrap());
        }
        from_caller(&metadata, &peer, &own).map_err(|status| (status.code(), status.message().to_owned()))
    };
    assert!(with(&[cast.token("a", "nsmgr")]).is_ok());
    for (tokens, reason) in [
        (vec![], "is missing"),
        (vec![cast.token("a", "nsmgr"), cast.token("a", "nsmgr")], "is not one text"),
        (vec![cast.token("a", "b")], "meant for somebody else"),
        (vec![cast.token("b", "nsmgr")], "signature"),
        (vec!["a.b.c".into()], "malformed"),
    ] {
        let (code, message) = with(&tokens).unwrap_err();
        assert!(code == tonic::Code::PermissionDenied && message.starts_with("no sufficient privileges") && message.contains(reason), "{message}");
    }
}

#[test]
fn a_step_adds_us_once_and_keeps_our_id() {
    let cast = Cast::new();
    let own = cast.who("nsmgr").id().clone();
    let first = step(Some(path(0, &[("nsc", "c-0")])), "c-0", "nsmgr", cast.caller("nsc", "nsmgr"), &own).unwrap();
    assert_eq!((first.path.index, first.own, first.path.path_segments.len(), first.caller().id.as_str()), (1, 1, 2, "c-0"));
    assert!(!first.caller().token.is_empty() && first.caller().expires.is_some());

    let mut again = first.path.clone();
    again.index = 0;
    again.path_segments.push(PathSegment { name: "nse".into(), id: "e".into(), ..PathSegment::default() });
    let second = step(Some(again), "c-0", "nsmgr", cast.caller("nsc", "nsmgr"), &own).unwrap();
    assert_eq!((second.id(), second.path.path_segments.len()), (first.id(), 3));

    let elsewhere = path(0, &[("nsc", "c-0"), ("another-nsmgr", "x"), ("nse", "e")]);
    let moved = step(Some(elsewhere), "c-0", "nsmgr", cast.caller("nsc", "nsmgr"), &own).unwrap();
    assert!(moved.path.path_segments.len() == 2 && moved.id() != "x");
}

#[test]
fn a_path_that_no_caller_can_have_is_refused() {
    let cast = Cast::new();
    let own = cast.who("nsmgr").id().clone();
    let many: Vec<_> = (0..100).map(|_| ("nsc", "c-0")).collect();
    for (path, id) in [
        (None, "c-0"),
        (Some(path(0, &[])), "c-0"),
        (Some(path(1, &[("nsc", "c-0")])), "c-0"),
        (Some(path(u32::MAX, &[("nsc", "c-0")])), "c-0"),
        (Some(path(0, &[("nsc", "c-0")])), "c-1"),
        (Some(path(0, &[("nsc", "")])), ""),
        (Some(path(0, &many)), "c-0"),
    ] {
        let status = step(path, id, "nsmgr", cast.caller("nsc", "nsmgr"), &own).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    }
}

#[test]
fn the_path_of_a_registration_is_written_as_upstream_reads_it() {
    let value = RegistryPath::answer("a", "b".into()).to_metadata().unwrap();
    assert_eq!(value.to_str().unwrap(), r#"{"Index":0,"PathSegments":[{"token":"a"},{"token":"b"}]}"#);
    let checked = |text: &str| {
        let mut metadata = MetadataMap::new();
        metadata.insert(RegistryPath::KEY, text.parse().unwrap());
        RegistryPath::check(&metadata).is_ok()
    };
    assert!(checked(r#"{"Index":0,"PathSegments":null}"#) && checked(value.to_str().unwrap()));
    assert!(!checked(r#"{"Index":1,"PathSegments":null}"#) && !checked("{") && !checked("7"));
    assert!(RegistryPath::check(&MetadataMap::new()).is_ok());
}

#[test]
fn an_id_is_a_random_uuid() {
    let (one, other) = (new_id(), new_id());
    assert!(one != other && one.len() == 36 && one.as_bytes()[14] == b'4' && b"89ab".contains(&one.as_bytes()[19]), "{one}");
}

#[test]
fn a_path_holds_when_the_endpoint_has_answered_for_itself() {
    let cast = Cast::new();
    let key = |who: &Source| {
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&who.svid().private_key.clone().into(), &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Peer { id: who.id().clone(), public_key: key.public_key_raw().to_vec() }
    };
    let (own, endpoint) = (cast.who("nsmgr").id().clone(), key(&cast.who("nse")));
    let of = |tokens: &[String]| {
        let segment = |token: &String| PathSegment { name: "x".repeat(200), token: token.clone(), ..PathSegment::default() };
        let path = Path { index: 1, path_segments: tokens.iter().map(segment).collect() };
        check_path(&path, 1, &own, &endpoint).map_err(|status| status.message().to_owned())
    };
    let whole = [cast.token("nsc", "nsmgr"), cast.token("nsmgr", "nse"), cast.token("nse", "nsmgr")];
    let told = of(&whole).unwrap();
    let whose: Vec<&str> = told.iter().map(|token| token.spiffe_id.rsplit('/').next().unwrap()).collect();
    assert_eq!((whose, told[0].segment.len()), (vec!["nsc", "nsmgr", "nse"], MAX_SHOWN));
    assert!(told.iter().all(|token| token.expires_at > Timestamp::now()));
    let without = |at: usize, token: String| {
        let mut tokens = whole.clone();
        tokens[at] = token;
        of(&tokens).unwrap_err()
    };
    assert!(of(&whole[..2]).unwrap_err().contains("has no segment of the path"));
    assert!(without(0, cast.token("nsc", "nse")).contains("not chained"));
    assert!(without(1, cast.token("nsmgr", "nsc")).contains("not chained"));
    assert!(without(2, cast.token("nsc", "nsmgr")).contains("signature"));
    assert!(without(2, cast.token("nse", "nsc")).contains("somebody else"));
}

#[test]
fn the_next_manager_makes_the_same_ids() {
    let (first, next) = (Ids::new(), Ids::new());
    assert_ne!(first.of(&["ns", "alpine", "0"]), next.of(&["ns", "alpine", "0"]), "nobody can guess them");
    next.go_on(first.secret());
    assert_eq!(first.of(&["ns", "alpine", "0"]), next.of(&["ns", "alpine", "0"]));
    assert_ne!(first.of(&["ns", "alpine", "0"]), first.of(&["ns", "alpine0", ""]));
    assert_eq!(format!("{first:?}"), "Ids", "it does not get into logs");
}
