//! The two ways of running a component, with the component model's tasks and without, and which of them it needs.
//!
//! Every component could run with them. But an engine that keeps no books on tasks serves an event of the 0.2 generation in
//! two thirds of the time, so what gets along without runs without.

use std::path::Path;
use std::sync::OnceLock;

use wasmparser::{Chunk, Parser, Payload};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Engine, format_err};

use crate::aot::{self, CompiledCode};
use crate::engine::{Concurrency, RunningEngine};
use crate::host;
use crate::instance::HostState;
use crate::sources::Facts;

/// What the components of one engine are compiled, kept and linked with.
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    linker: Linker<HostState>,
    pub(crate) cache: Option<CompiledCode>,
}

/// Adds what a trigger offers to components besides what every trigger does.
type Link = fn(&mut Linker<HostState>) -> wasmtime::Result<()>;

/// The platforms of an app, each made when the first component needs it.
pub(crate) struct Platforms<'a> {
    engines: &'a RunningEngine,
    link: Link,
    cache: Option<&'a Path>,
    without: OnceLock<wasmtime::Result<Platform>>,
    with: OnceLock<wasmtime::Result<Platform>>,
}

impl<'a> Platforms<'a> {
    /// `cache` is the folder below which compiled code is kept.
    pub(crate) fn new(engines: &'a RunningEngine, link: Link, cache: Option<&'a Path>) -> Self {
        Self { engines, link, cache, without: OnceLock::new(), with: OnceLock::new() }
    }

    /// # Errors
    /// When the engine can't be made, or something can't be linked on it: what the trigger itself adds may need tasks.
    pub(crate) fn of(&self, concurrency: Concurrency) -> wasmtime::Result<&Platform> {
        let place = match concurrency {
            Concurrency::Without => &self.without,
            Concurrency::With => &self.with,
        };
        let platform = place.get_or_init(|| self.make(concurrency));
        platform.as_ref().map_err(|error| format_err!("{error:#}"))
    }

    /// The folder below which compiled code is kept.
    pub(crate) fn cache(&self) -> Option<&Path> {
        self.cache
    }

    /// Whether code may have been kept under a key, for any engine: what finds that out makes none.
    pub(crate) fn may_keep(&self, key: &str) -> bool {
        self.cache.is_some_and(|cache| aot::is_kept(cache, key))
    }

    fn make(&self, concurrency: Concurrency) -> wasmtime::Result<Platform> {
        let engine = self.engines.engine(concurrency)?;
        let mut linker = host::linker(engine, concurrency)?;
        (self.link)(&mut linker)?;
        let cache = self.cache.map(|folder| CompiledCode::new(folder, engine));
        Ok(Platform { engine: engine.clone(), linker, cache })
    }
}

impl Platform {
    /// The compiled component that was kept under a key.
    pub(crate) fn load(&self, key: &str) -> Option<Component> {
        self.cache.as_ref().and_then(|cache| cache.load(&self.engine, key))
    }

    pub(crate) fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<HostState>> {
        self.linker.instantiate_pre(component)
    }
}

/// What may run a component that is made of these files, the best first.
///
/// The names say it nearly always, at once. Where they don't, and it needs tasks although none of them tells, the first
/// platform refuses it.
pub(crate) fn candidates(mut files: impl Iterator<Item = Facts>) -> &'static [Concurrency] {
    match files.any(|file| file.names_tasks) {
        true => &[Concurrency::With],
        false => &[Concurrency::Without, Concurrency::With],
    }
}

/// Whether a component imports or exports an interface with asynchronous functions: those of WASI 0.3, and those of
/// `spin:` packages. None if it is no component. Nothing but the outermost sections is looked at. It is noted about large
/// files: a change here has to change [`RECIPE`](crate::prepare::RECIPE).
pub(crate) fn names_tasks(bytes: &[u8]) -> Option<bool> {
    let is_of_tasks = |name: &str| name.starts_with("spin:") || name.contains("@0.3.");
    let (mut parser, mut rest) = (Parser::new(0), bytes);
    loop {
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).ok()? else { return None };
        rest = rest.get(consumed..)?;
        let found = match payload {
            Payload::Version { encoding: wasmparser::Encoding::Module, .. } => return None,
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                rest = rest.get(unchecked_range.len()..)?;
                false
            }
            Payload::ComponentImportSection(imports) => {
                imports.into_iter().flatten().any(|import| is_of_tasks(import.name.name))
            }
            Payload::ComponentExportSection(exports) => {
                exports.into_iter().flatten().any(|export| is_of_tasks(export.name.name))
            }
            Payload::End(_) => return Some(false),
            _ => false,
        };
        if found {
            return Some(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<bool> {
        names_tasks(&wat::parse_str(text).expect("well-formed"))
    }

    #[test]
    fn the_outermost_names_tell_what_a_component_needs() {
        let inner = r#"(component (import "wasi:cli/run@0.3.0" (instance)))"#;
        for (text, needs) in [
            ("(module)".to_owned(), None),
            ("(component)".to_owned(), Some(false)),
            (r#"(component (import "wasi:cli/run@0.2.3" (instance)))"#.to_owned(), Some(false)),
            (r#"(component (import "fermyon:spin/key-value@2.0.0" (instance)))"#.to_owned(), Some(false)),
            (inner.to_owned(), Some(true)),
            (inner.replace("0.3.0", "0.3.0-rc-2026-03-15"), Some(true)),
            (r#"(component (core module) (import "spin:redis/redis@3.0.0" (instance)))"#.to_owned(), Some(true)),
            (format!("(component (core module (memory 1)) {inner} (import \"a:b/c\" (instance)))"), Some(false)),
            (
                format!("(component {inner} (instance $i) (export \"wasi:http/handler@0.3.0\" (instance $i)))"),
                Some(true),
            ),
        ] {
            assert_eq!(told(&text), needs, "{text}");
        }
        assert_eq!(names_tasks(b"\0asm\x0d\0\x01\0\x04\xff"), None, "cut short");
    }
}
