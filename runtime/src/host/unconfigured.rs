//! Interfaces that the worlds of SDKs declare and that have no back end here.
//!
//! Older SDKs, and those of languages whose compilers keep everything, import all of their world. Such a component is
//! linked and runs; a call of one of these functions is answered with the interface's own error, which says what is missing. A
//! back end that arrives takes its line out of [`INTERFACES`].

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Type, Val};

/// Each without a version, and what a message calls its back end.
const INTERFACES: &[(&str, &str)] = &[("fermyon:spin/llm", "large language models")];

/// Cases of error types that carry a text for people, the best first.
const CASES: &[&str] = &["other", "other-error", "runtime-error"];

/// A resource that nobody ever gets.
struct Never;

/// The linker for a component that imports any of these interfaces: the same with them. None for any other component.
///
/// # Errors
/// The linker's.
pub(crate) fn with_imports_of<T: Send + 'static>(
    component: &Component,
    linker: &Linker<T>,
) -> wasmtime::Result<Option<Linker<T>>> {
    let (engine, mut more) = (component.engine(), None::<Linker<T>>);
    for (name, import) in component.component_type().imports(engine) {
        let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
        let known = INTERFACES.iter().find(|(known, _)| *known == interface);
        let (Some((_, what)), ComponentItem::ComponentInstance(instance)) = (known, import.ty) else { continue };
        define(&mut more.get_or_insert_with(|| linker.clone()).instance(name)?, engine, &instance, what)?;
    }
    Ok(more)
}

fn define<T: Send + 'static>(
    linker: &mut LinkerInstance<'_, T>,
    engine: &Engine,
    instance: &ComponentInstance,
    what: &'static str,
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(engine) {
        match export.ty {
            ComponentItem::Resource(_) => linker.resource(name, ResourceType::host::<Never>(), |_, _| Ok(()))?,
            ComponentItem::ComponentFunc(function) if function.async_() => {
                linker.func_new_concurrent(name, move |_, function, _, results| {
                    Box::pin(async move { answer(&function, what, results) })
                })?;
            }
            ComponentItem::ComponentFunc(_) => {
                linker.func_new(name, move |_, function, _, results| answer(&function, what, results))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Answers with the error that the function's result has; traps if it has none.
fn answer(function: &ComponentFunc, what: &str, results: &mut [Val]) -> wasmtime::Result<()> {
    let text = format!("this version of the trigger has no back end for {what}");
    let error = match function.results().next() {
        Some(Type::Result(result)) => result.err().and_then(|error| error_of(&error, &text)),
        _ => None,
    };
    match (error, results) {
        (Some(error), [result]) => {
            *result = Val::Result(Err(Some(Box::new(error))));
            Ok(())
        }
        _ => Err(wasmtime::format_err!("{text}")),
    }
}

fn error_of(error: &Type, text: &str) -> Option<Val> {
    match error {
        Type::String => Some(Val::String(text.to_owned())),
        Type::Enum(names) => names.names().find(|name| *name == "error").map(|name| Val::Enum(name.to_owned())),
        Type::Variant(variant) => {
            let fits =
                |name: &str| variant.cases().any(|case| case.name == name && matches!(case.ty, Some(Type::String)));
            let case = CASES.iter().find(|name| fits(name))?;
            Some(Val::Variant((*case).to_owned(), Some(Box::new(Val::String(text.to_owned())))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Store;

    use super::*;

    /// Imports a function of LLMs, and gives what it answers.
    const COMPONENT: &str = r#"
        (component
          (import "fermyon:spin/llm@2.0.0" (instance $llm
            (export "model" (type (sub resource)))
            (type $error' (variant (case "model-not-supported") (case "runtime-error" string)))
            (export "error" (type $error (eq $error')))
            (export "infer" (func (param "model" string) (result (result u32 (error $error)))))))
          (core module $memory
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              global.get $next
              (global.set $next (i32.add (global.get $next) (local.get 3)))))
          (core instance $memory (instantiate $memory))
          (core func $infer (canon lower (func $llm "infer")
            (memory $memory "memory") (realloc (func $memory "realloc"))))
          (core module $code
            (import "host" "infer" (func $infer (param i32 i32 i32)))
            (import "host" "memory" (memory 1))
            (func (export "run") (result i32)
              (call $infer (i32.const 0) (i32.const 0) (i32.const 16))
              ;; Whether it is an error, and which one.
              (i32.add (i32.mul (i32.load8_u (i32.const 16)) (i32.const 10)) (i32.load8_u (i32.const 20)))))
          (core instance $code (instantiate $code (with "host" (instance
            (export "infer" (func $infer))
            (export "memory" (memory $memory "memory"))))))
          (func (export "run") (result u32) (canon lift (core func $code "run"))))
    "#;

    #[tokio::test]
    async fn what_has_no_back_end_is_linked_and_answers_with_its_own_error() {
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str(COMPONENT).expect("well-formed")).expect("it is valid");
        let linker = with_imports_of::<()>(&component, &Linker::new(&engine)).expect("linked").expect("it imports one");
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate_async(&mut store, &component).await.expect("instantiated");
        let run = instance.get_typed_func::<(), (u32,)>(&mut store, "run").expect("it is exported");
        let (answer,) = run.call_async(&mut store, ()).await.expect("no trap");
        assert_eq!(answer, 11, "an error, the second case");
    }

    #[test]
    fn who_imports_nothing_of_it_is_linked_as_ever() {
        let engine = Engine::default();
        let component = Component::new(&engine, wat::parse_str("(component)").expect("well-formed")).expect("valid");
        assert!(with_imports_of::<()>(&component, &Linker::new(&engine)).expect("linked").is_none());
    }
}
