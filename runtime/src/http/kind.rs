//! Which of a component's exports answers requests.

use spin_app_model::ComponentId;

use crate::adapt::pre_release;
use crate::interface;

/// How a component answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `fermyon:spin/inbound-http`: whole bodies, an instance for each request.
    Inbound,
    /// `wasi:http/incoming-handler@0.2.x`: streams, an instance for each request unless reuse is asked for.
    P2,
    /// `wasi:http/handler@0.3.x`: streams, made for reuse.
    P3,
}

/// The component exports nothing that can be called as asked, or more than one such thing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAHandler {
    /// No handler among the exports.
    #[error(
        "component \"{component}\" handles no HTTP requests: it exports {}; an HTTP component exports one of {SUPPORTED}{}",
        list(exports),
        advice(exports)
    )]
    None {
        /// Which component.
        component: ComponentId,
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// More than one handler.
    #[error("component \"{component}\" exports several HTTP handlers, and only one could be served: {}", list(exports))]
    Several {
        /// Which component.
        component: ComponentId,
        /// The handlers.
        exports: Vec<String>,
    },
    /// The executor `wagi` for what is no command.
    #[error(
        "component \"{component}\": failed to find the wasi command interface for the wagi executor: it exports {}; \
         export {COMMAND}0.2.x, or remove `executor` from its trigger to serve it by its HTTP handler",
        list(exports)
    )]
    NotACommand {
        /// Which component.
        component: ComponentId,
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// The export has another shape than its name promises.
    #[error(
        "component \"{component}\" exports {export}, but not as that is defined: {}; build it with an SDK for that version",
        as_known(&format!("{source:#}"), export)
    )]
    Shape {
        /// Which component.
        component: ComponentId,
        /// The export.
        export: String,
        /// What differs.
        source: wasmtime::Error,
    },
}

const SUPPORTED: &str = "fermyon:spin/inbound-http, wasi:http/incoming-handler@0.2.x and wasi:http/handler@0.3.x";

/// What commands export.
const COMMAND: &str = "wasi:cli/run@";

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn advice(exports: &[String]) -> &'static str {
    if exports.iter().any(|name| is_command(name)) {
        "; it is a command: `executor = { type = \"wagi\" }` in its trigger serves it as a CGI script"
    } else {
        ""
    }
}

/// A message with the name of an export as its author knows it, in the place of the version that it was looked for by.
fn as_known(text: &str, export: &str) -> String {
    match text.split_once(&format!("{}@", interface::path(export))) {
        Some((before, rest)) => format!("{before}{export}{}", rest.trim_start_matches(|c: char| c != '`')),
        None => text.to_owned(),
    }
}

/// The one handler among `exports`, and its name.
pub(super) fn of_exports(component: &ComponentId, exports: Vec<String>) -> Result<(Kind, String), NotAHandler> {
    let handlers: Vec<(Kind, &String)> =
        exports.iter().filter_map(|name| kind(name).map(|kind| (kind, name))).collect();
    match handlers.as_slice() {
        [] => Err(NotAHandler::None { component: component.clone(), exports }),
        [(kind, name)] => Ok((*kind, (*name).clone())),
        several => {
            let exports = several.iter().map(|(_, name)| (*name).clone()).collect();
            Err(NotAHandler::Several { component: component.clone(), exports })
        }
    }
}

/// The name by which a component exports that it is a command.
pub(super) fn command(component: &ComponentId, exports: Vec<String>) -> Result<String, NotAHandler> {
    match exports.iter().find(|name| is_command(name)) {
        Some(name) => Ok(name.clone()),
        None => Err(NotAHandler::NotACommand { component: component.clone(), exports }),
    }
}

/// Components name their handler's exact version; every 0.2.x and 0.3.x is served. Of pre-releases those are
/// for which a release stands ([`pre_release`]).
fn kind(export: &str) -> Option<Kind> {
    if export == "fermyon:spin/inbound-http" {
        Some(Kind::Inbound)
    } else if is_release(export, "wasi:http/incoming-handler@0.2.") {
        Some(Kind::P2)
    } else if is_release(export, "wasi:http/handler@0.3.") {
        Some(Kind::P3)
    } else {
        None
    }
}

fn is_command(export: &str) -> bool {
    is_release(export, "wasi:cli/run@0.2.")
}

fn is_release(export: &str, name: &str) -> bool {
    pre_release::renamed(export).strip_prefix(name).is_some_and(|version| !version.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ComponentId {
        "c".parse().expect("an id")
    }

    fn names(exports: &[&str]) -> Vec<String> {
        exports.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn released_versions_are_served() {
        for (export, expected) in [
            ("fermyon:spin/inbound-http", Some(Kind::Inbound)),
            ("fermyon:spin/inbound-http@2.0.0", None),
            ("wasi:http/incoming-handler@0.2.0", Some(Kind::P2)),
            ("wasi:http/incoming-handler@0.2.12", Some(Kind::P2)),
            ("wasi:http/handler@0.3.0", Some(Kind::P3)),
            ("wasi:http/handler@0.3.0-rc-2026-03-15", Some(Kind::P3)),
            ("wasi:http/handler@0.3.0-rc-2025-09-16", None),
            ("wasi:http/incoming-handler@0.2.0-rc-2023-11-10", Some(Kind::P2)),
            ("wasi:http/incoming-handler@0.2.0-rc-2023-10-18", Some(Kind::P2)),
            ("wasi:http/incoming-handler@0.2.0-rc-2023-12-05", None),
            ("wasi:cli/run@0.2.0", None),
        ] {
            assert_eq!(kind(export), expected, "{export}");
        }
    }

    #[test]
    fn who_can_not_be_served_is_told_what_can() {
        let message = |exports: &[&str]| of_exports(&id(), names(exports)).expect_err("refused").to_string();
        let text = message(&["a:b/c"]);
        for part in ["it exports a:b/c;", "fermyon:spin/inbound-http", "incoming-handler@0.2.x", "handler@0.3.x"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("wagi") && message(&[]).contains("it exports nothing"));
        assert!(message(&["wasi:cli/run@0.2.3"]).contains("executor = { type = \"wagi\" }"));
        assert!(message(&["wasi:cli/run@0.2.0-rc-2023-10-18"]).contains("wagi"));
        let several = message(&["wasi:http/handler@0.3.0", "fermyon:spin/inbound-http", "other"]);
        assert!(several.ends_with("served: wasi:http/handler@0.3.0, fermyon:spin/inbound-http"), "{several}");
    }

    #[test]
    fn a_wrong_export_is_named_as_its_author_knows_it() {
        let text = |export: &str, source: &str| {
            let source = wasmtime::Error::msg(source.to_owned());
            NotAHandler::Shape { component: id(), export: export.to_owned(), source }.to_string()
        };
        assert_eq!(
            text(
                "wasi:http/incoming-handler@0.2.0-rc-2023-10-18",
                "instance export `wasi:http/incoming-handler@0.2.12` does not have export `handle`"
            ),
            "component \"c\" exports wasi:http/incoming-handler@0.2.0-rc-2023-10-18, but not as that is defined: instance \
             export `wasi:http/incoming-handler@0.2.0-rc-2023-10-18` does not have export `handle`; build it with an SDK \
             for that version"
        );
        assert!(text("fermyon:spin/inbound-http", "type mismatch").contains("is defined: type mismatch;"));
    }

    #[test]
    fn wagi_needs_a_command() {
        for export in ["wasi:cli/run@0.2.6", "wasi:cli/run@0.2.0-rc-2023-11-10"] {
            assert_eq!(command(&id(), names(&["a", export])).expect("a command"), export);
        }
        for export in ["wasi:cli/run@0.3.0", "wasi:http/handler@0.3.0"] {
            let text = command(&id(), names(&[export])).expect_err("refused").to_string();
            assert!(text.contains("failed to find the wasi command interface"), "{text}");
            assert!(text.contains(&format!("it exports {export};")), "{text}");
        }
    }
}
