use serde_json::Value;

/// Writes objects as YAML that [`read`](super::read) and kubectl read back as the same: what YAML 1.1 would take for
/// something else than a string is quoted. `---` stands between two.
///
/// # Errors
/// An object has something in it that YAML cannot hold. Nothing that came out of a manifest has.
pub fn write(objects: &[&Value]) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! {
        // Long lines stay whole: folding them is for prose, and commands are not.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_string_multiple_with_options(objects, options)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        manifest::{Customisation, Source, embedded, plan, read},
        model::PlannedObject,
    };

    fn again(objects: &[&Value]) -> Vec<Value> {
        let text = write(objects).unwrap();
        let read = read(&[Source { name: "-".into(), text: text.clone() }]).unwrap_or_else(|error| panic!("{error}\n{text}"));
        read.into_iter().map(|document| document.value).collect()
    }

    fn with(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
    }

    #[test]
    fn the_example_comes_back_as_the_same_plan() {
        let planned = |sources: &[Source]| plan(&read(sources).unwrap(), &Customisation::default(), "default").unwrap();
        let before = planned(&embedded());
        let bodies: Vec<&Value> = before.objects.iter().map(|object| &object.body).collect();
        let text = write(&bodies).unwrap();
        assert!(text.starts_with("apiVersion: v1\nkind: Namespace\n") && text.matches("\n---\n").count() == 3, "{text}");
        let after = planned(&[Source { name: "-".into(), text }]);
        let bare = |object: &PlannedObject| PlannedObject { source: String::new(), ..object.clone() };
        assert_eq!(before.objects.iter().map(bare).collect::<Vec<_>>(), after.objects.iter().map(bare).collect::<Vec<_>>());
        assert_eq!((before.instance, before.expectations), (after.instance, after.expectations));
    }

    #[test]
    fn what_yaml_would_misread_comes_back_as_the_string_that_it_is() {
        let words = [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "Yes",
            "TRUE",
            "null",
            "~",
            "",
            "0755",
            "0o7",
            "0x1F",
            "1e3",
            "1.5",
            ".5",
            "-1",
            "+1",
            "1_000",
            ".inf",
            ".nan",
            "12:30:45",
            "190:20",
            "2024-01-01",
            "<<",
            "=",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "|",
            ">",
            "'a",
            "\"a",
            " a",
            "a ",
            "a\n",
            "\na",
            "a\nb\n\n",
            "a\tb",
            "a\u{1b}[1mb",
            "---",
            "...",
            "{}",
            "[]",
            "a,b",
            "172.16.1.100/31",
            "kernel://kernel2kernel/nsm-1",
            "trap : TERM INT; sleep infinity & wait",
        ];
        for word in words {
            let object = with(&json!({"value": word, "list": [word, [word]], word: "key"}));
            assert_eq!(again(&[&object]), [object], "{word:?}");
        }
        let long = format!("{}  {}", "word ".repeat(40), "x".repeat(200));
        let object = with(&json!({"a": long, "b": 493, "c": true, "d": null, "e": 1.5, "f": {}, "g": [], "h": -7}));
        assert_eq!(again(&[&object, &object]), [object.clone(), object]);
    }

    #[test]
    fn what_another_reader_of_yaml_would_misread_is_quoted() {
        let text = write(&[&json!({"yes": "yes", "a": "0755", "b": "12:30:45", "c": "~", "d": "1e3"})]).unwrap();
        for word in ["yes", "0755", "12:30:45", "~", "1e3"] {
            assert!(text.contains(&format!(": '{word}'\n")) || text.contains(&format!(": \"{word}\"\n")), "{word}: {text}");
        }
        assert!(!text.contains("\nyes:") && !text.starts_with("yes:"), "{text}");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in ".{0,60}", lines in "([ -~]{0,12}\n){0,4}[ -~]{0,6}") {
            let object = with(&json!({"a": text, "b": lines, "c": [lines, {"d": text}]}));
            prop_assert_eq!(again(&[&object]), [object]);
        }
    }
}
