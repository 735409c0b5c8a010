//! JSON with one spelling: two blanks a level, fields in the order given, free-form objects sorted by key.
//!
//! The printer is our own so that no feature of the JSON library, switched on by some other crate of a build, can
//! change the order of keys: the bytes are hashed and compared.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A piece of JSON to print.
pub(crate) enum Node<'a> {
    /// An object whose fields keep their order.
    Object(Vec<(&'a str, Node<'a>)>),
    /// A list.
    List(Vec<Node<'a>>),
    /// A text.
    Text(Cow<'a, str>),
    /// A truth value.
    Flag(bool),
    /// A number.
    Number(u64),
    /// Nothing.
    Null,
    /// Any JSON; its objects are sorted by key.
    Free(&'a Value),
}

impl<'a> Node<'a> {
    /// A text.
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A free-form object, sorted by key.
    pub(super) fn sorted(object: &'a Map<String, Value>) -> Self {
        Self::Object(sorted_fields(object))
    }

    /// Prints without a final end of line.
    pub(crate) fn print(&self) -> String {
        let mut out = String::new();
        self.print_at(0, &mut out);
        out
    }

    fn print_at(&self, depth: usize, out: &mut String) {
        match self {
            Self::Object(fields) => {
                print_items(out, depth, ['{', '}'], fields, |out, (key, node)| {
                    print_text(key, out);
                    out.push_str(": ");
                    node.print_at(depth + 1, out);
                });
            }
            Self::List(items) => print_items(out, depth, ['[', ']'], items, |out, item| item.print_at(depth + 1, out)),
            Self::Text(text) => print_text(text, out),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Null => out.push_str("null"),
            Self::Free(Value::Object(object)) => Self::sorted(object).print_at(depth, out),
            Self::Free(Value::Array(items)) => Self::List(items.iter().map(Node::Free).collect()).print_at(depth, out),
            Self::Free(Value::String(text)) => print_text(text, out),
            Self::Free(scalar) => out.push_str(&scalar.to_string()),
        }
    }
}

/// The fields of a free-form object, sorted by the bytes of their keys.
pub(super) fn sorted_fields(object: &Map<String, Value>) -> Vec<(&str, Node<'_>)> {
    let mut fields: Vec<_> = object.iter().map(|(key, value)| (key.as_str(), Node::Free(value))).collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

fn print_items<T>(
    out: &mut String,
    depth: usize,
    [open, close]: [char; 2],
    items: &[T],
    print: impl Fn(&mut String, &T),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(depth + 1, out);
        print(out, item);
    }
    if !items.is_empty() {
        new_line(depth, out);
    }
    out.push(close);
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn print_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("every text can be JSON"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn empty_things_take_one_line() {
        let value = json!({ "b": [], "a": {}, "c": [[{}]] });
        let text = "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": [\n    [\n      {}\n    ]\n  ]\n}";
        assert_eq!(Node::Free(&value).print(), text);
    }

    #[test]
    fn keys_are_sorted_by_bytes_and_text_is_not_escaped_needlessly() {
        let value = json!({ "é": "ü\n\"", "Z": 1.0, "a": -1, "_": "\u{7f}\u{1}" });
        assert_eq!(
            Node::Free(&value).print(),
            "{\n  \"Z\": 1.0,\n  \"_\": \"\u{7f}\\u0001\",\n  \"a\": -1,\n  \"é\": \"ü\\n\\\"\"\n}"
        );
    }

    proptest! {
        /// The reference is the JSON library's own printer; the maps it is given were filled in sorted order.
        #[test]
        fn the_spelling_is_that_of_spin(value in any_json()) {
            prop_assert_eq!(Node::Free(&value).print(), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
