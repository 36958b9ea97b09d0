use std::ffi::CString;

use proptest::prelude::*;
use pyo3::prelude::*;
use serde_json::Value;

use super::*;
use crate::python::interpreter::tests::with_python;

fn eval<'py>(py: Python<'py>, source: &str) -> Bound<'py, PyAny> {
    py.eval(&CString::new(source).unwrap(), None, None).unwrap()
}

fn encoded(source: &str) -> Result<String, String> {
    with_python(|py| {
        let mut out = Vec::new();
        match encode(&eval(py, source), &mut out) {
            Ok(()) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    })
}

fn decoded(text: &[u8]) -> Result<String, String> {
    with_python(|py| match decode(py, text, &mut KeyCache::default()) {
        Ok(value) => Ok(value.repr().unwrap().to_string()),
        Err(error) => Err(error.to_string()),
    })
}

#[test]
fn what_python_has_is_written_as_json() {
    for (source, expected) in [
        ("None", "null"),
        ("[True, False]", "[true,false]"),
        (
            "(1, -2, 2**64 - 1, -2**63)",
            "[1,-2,18446744073709551615,-9223372036854775808]",
        ),
        ("[0.5, 1.0, -0.0]", "[0.5,1.0,-0.0]"),
        ("{'a': {'b': []}, 'c': ()}", r#"{"a":{"b":[]},"c":[]}"#),
        (
            "{1: 2, None: 3, True: 4, 1.5: 5}",
            r#"{"1":4,"null":3,"1.5":5}"#,
        ),
        ("{'x': 1, 'y': 2}.keys()", r#"["x","y"]"#),
        ("{'x': 1}.values()", "[1]"),
        ("{'x': 1}.items()", r#"[["x",1]]"#),
        ("{7}", "[7]"),
        ("frozenset(['a'])", r#"["a"]"#),
        ("'当前在线 \\u20ac 😀'", r#""当前在线 € 😀""#),
        (
            r#"'quote " back \\ line \n nul \x00'"#,
            r#""quote \" back \\ line \n nul \u0000""#,
        ),
        ("__import__('enum').IntEnum('E', 'A B').B", "2"),
        ("type('S', (str,), {})('x')", r#""x""#),
        ("__import__('collections').OrderedDict(a=1)", r#"{"a":1}"#),
    ] {
        assert_eq!(encoded(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn what_json_has_not_is_an_error_that_says_where() {
    for (source, expected) in [
        ("object()", "a value of type object; JSON has dict"),
        (
            "{'a': [1, {'b': object()}]}",
            "at ['a'][1]['b']: a value of type object",
        ),
        (
            "(x for x in [])",
            "a value of type generator; make a list of it first",
        ),
        (
            "map(str, [])",
            "a value of type map; make a list of it first",
        ),
        ("[b'x']", "at [0]: bytes inside of a value"),
        ("2**64", "does not fit 64 bits"),
        ("-2**63 - 1", "does not fit 64 bits"),
        ("float('nan')", "NaN is no number"),
        ("[float('inf')]", "at [0]: inf is no number"),
        ("{(1, 2): 3}", "a key is text or a number, not tuple"),
        ("{float('nan'): 3}", "NaN is no number"),
        ("'\\ud800'", "half of a surrogate pair"),
        ("(lambda l: (l.append(l), l)[1])([])", "or one in itself"),
        ("(lambda d: (d.update(d=d), d)[1])({})", "or one in itself"),
        ("int", "a value of type type;"),
    ] {
        let error = encoded(source).unwrap_err();
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn json_becomes_what_python_has() {
    for (text, expected) in [
        ("null", "None"),
        (" [true, false] ", "[True, False]"),
        (
            "[1, -2, 18446744073709551615]",
            "[1, -2, 18446744073709551615]",
        ),
        ("[1.5, 1e3, -0.0]", "[1.5, 1000.0, -0.0]"),
        ("100000000000000000000", "1e+20"),
        (r#"{"a": {"b": []}, "a": 1}"#, "{'a': 1}"),
        (r#""\u5f53\ud83d\ude00""#, "'当😀'"),
        (r#"{"": 0}"#, "{'': 0}"),
    ] {
        assert_eq!(decoded(text.as_bytes()).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_json_is_an_error() {
    let deep = "[".repeat(100_000);
    for text in [
        "",
        " ",
        "hello",
        "[1,]",
        "[1",
        "{1:2}",
        "'a'",
        "nan",
        "NaN",
        "Infinity",
        "1 2",
        "[] []",
        "\"\\ud800\"",
        "\"\n\"",
        "{\"a\" 1}",
        "01",
        "+1",
        &deep,
    ] {
        assert!(decoded(text.as_bytes()).is_err(), "{text:.20} was taken");
    }
    assert!(decoded(b"\"\xff\"").is_err());
    assert!(decoded(b"\xef\xbb\xbf[]").is_err());
}

#[test]
fn both_ways_go_equally_deep() {
    let nest = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(decoded(nest(MAX_DEPTH).as_bytes()).is_ok());
    assert!(decoded(nest(MAX_DEPTH + 1).as_bytes()).is_err());
    assert!(encoded(&format!("__import__('json').loads('{}')", nest(MAX_DEPTH))).is_ok());
    assert!(
        encoded(&format!(
            "__import__('json').loads('{}')",
            nest(MAX_DEPTH + 1)
        ))
        .is_err()
    );
}

#[test]
fn keys_that_clients_make_up_do_not_fill_the_memory() {
    with_python(|py| {
        let mut keys = KeyCache::default();
        for number in 0..10_000 {
            let text = format!(r#"{{"key{number}": 1}}"#);
            decode(py, text.as_bytes(), &mut keys).unwrap();
            assert!(keys.len() <= 1_024);
        }
    });
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_goes_there_and_back(value in json()) {
        let text = serde_json::to_vec(&value).unwrap();
        let back = with_python(|py| {
            let mut out = Vec::new();
            let object = decode(py, &text, &mut KeyCache::default()).unwrap();
            encode(&object, &mut out).unwrap();
            out
        });
        prop_assert_eq!(serde_json::from_slice::<Value>(&back).unwrap(), value);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let ours = decoded(&bytes).is_ok();
        let theirs = serde_json::from_slice::<Value>(&bytes).is_ok();
        prop_assert_eq!(ours, theirs);
    }
}
