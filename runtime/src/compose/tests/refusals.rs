//! Dependencies that can't be composed, and what is said of them; and those that would cost too much.

use super::*;

fn refusal(main: &[(&str, &str)], dependencies: Vec<Dependency<'_>>) -> String {
    compose(forwarding(main), dependencies).expect_err("refused").to_string()
}

#[test]
fn two_packages_for_one_import_are_one_too_many_even_beside_one_for_the_interface() {
    let main = [(TELL, "tell"), ("our:talk/shout@1.2.0", "shout")];
    let word = |name| dependency(name, saying(TELL, "hello"), &NOTHING);
    let dependencies = vec![word("our:talk/tell"), word("our:talk"), word("our:talk@1.2.0")];
    let expected = "its dependencies \"our:talk\" and \"our:talk@1.2.0\" are both for its import our:talk/shout@1.2.0; \
                    remove one of them";
    assert_eq!(refusal(&main, dependencies), expected);
}

#[test]
fn a_function_by_the_name_of_an_interface_is_an_error() {
    let dependency = telling(
        TELL,
        r#"(import "wasi:cli/environment@0.2.6" (func $f))"#,
        r#"(core func $f (canon lower (func $f))) (core instance $host (export "f" (func $f)))"#,
        r#"(import "m" "memory" (memory 1)) (func (export "tell") (result i32) (i32.const 0))"#,
    );
    let dependencies = vec![super::dependency("our:talk", dependency, &NOTHING)];
    let message = refusal(&[(TELL, "tell")], dependencies);
    assert!(message.contains("wasi:cli/environment@0.2.6 is no interface"), "{message}");
}

#[test]
fn what_the_engine_would_not_take_is_not_read() {
    // An answer of 400 megabytes, by a list of a fixed length, of which the engine knows nothing.
    let dependency = telling(
        TELL,
        r#"(import "wasi:cli/environment@0.2.0" (instance
            (type $list (list u8 400000000))
            (export "q" (func (result (result $list (error string)))))))"#,
        "(core instance $host)",
        r#"(import "m" "memory" (memory 1)) (func (export "tell") (result i32) (i32.const 0))"#,
    );
    let dependencies = vec![super::dependency("our:talk", dependency.clone(), &NOTHING)];
    let message = refusal(&[(TELL, "tell")], dependencies);
    assert!(
        message.starts_with("its dependency \"our:talk\" can't be used: ") && message.contains("fixed"),
        "{message}"
    );
    let message = compose(dependency, Vec::new()).expect_err("the main one neither").to_string();
    assert!(message.starts_with("it can't be composed with its dependencies: "), "{message}");
}

#[test]
fn a_dependency_of_many_functions_is_denied_by_few_answers() {
    let functions: String = (0..1000).map(|index| format!(r#"(export "f{index}" (func (result $answer)))"#)).collect();
    let dependency = telling(
        TELL,
        &format!(
            r#"(import "wasi:cli/environment@0.2.0" (instance
                (type $word u64)
                (type $words (tuple {words}))
                (type $lines (tuple {lines}))
                (type $answer (result $lines (error string)))
                {functions}))"#,
            words = "$word ".repeat(16),
            lines = "$words ".repeat(16),
        ),
        "(core instance $host)",
        r#"(import "m" "memory" (memory 1)) (func (export "tell") (result i32) (i32.const 0))"#,
    );
    let dependencies = vec![super::dependency("our:talk", dependency, &NOTHING)];
    let composed = compose(forwarding(&[(TELL, "tell")]), dependencies).expect("composed");
    // Two kilobytes for each function would be two megabytes.
    assert!(composed.len() < 1_000_000, "{}", composed.len());
}

#[test]
fn what_does_not_fit_is_told() {
    let main = [(TELL, "tell")];
    let word = |name| dependency(name, saying(TELL, "hello"), &NOTHING);
    for (dependencies, expected) in [
        (vec![word("our:walk")], "dependency \"our:walk\" matches none of its imports, which are: our:talk/tell@1.2.0"),
        (vec![word("our:talk@2.0.0")], "dependency \"our:talk@2.0.0\" matches none of its imports"),
        (vec![word("tell")], "dependency \"tell\" matches none of its imports"),
        (
            vec![word("our:talk/tell"), word("our:talk/tell@1.0.0")],
            "\"our:talk/tell\" and \"our:talk/tell@1.0.0\" are both for its import our:talk/tell@1.2.0",
        ),
        (
            vec![word("our:talk"), word("our:talk@1.0.0")],
            "\"our:talk\" and \"our:talk@1.0.0\" are both for its import our:talk/tell@1.2.0; remove one of them",
        ),
        (
            vec![dependency("our:talk", saying("our:talk/tell@2.0.0", "hello"), &NOTHING)],
            "does not export our:talk/tell@1.2.0, but: our:talk/tell@2.0.0",
        ),
        (
            vec![Dependency { export: Some("other:words/say"), ..word("our:talk/tell") }],
            "does not export other:words/say, but: our:talk/tell@1.2.0",
        ),
        (
            vec![dependency(
                "our:talk",
                binary(r#"(component (instance $i) (export "our:talk/tell@1.2.0" (instance $i)))"#),
                &NOTHING,
            )],
            "the export our:talk/tell@1.2.0 of its dependency \"our:talk\" does not fit its import our:talk/tell@1.2.0",
        ),
        (vec![dependency("our:talk", b"nothing".to_vec(), &NOTHING)], "its dependency \"our:talk\" can't be used"),
    ] {
        let message = refusal(&main, dependencies);
        assert!(message.contains(expected), "{message}");
    }
}
