//! In which order components are built: what others are composed with comes first.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use spin_app_model::manifest::{Component, DependencySource, SourceRef};
use spin_app_model::paths::clean;

/// The components, each behind those whose code it is composed with, and else in the given order; if that goes in
/// circles, all in the given order. `app_dir` is what their paths are relative to.
///
/// Kahn's algorithm. A file is a step of its own: else, many components that share one and many that wait for it would be
/// as many pairs.
pub(super) fn in_order<'a>(components: Vec<&'a Component>, app_dir: &Path) -> Vec<&'a Component> {
    let file = |path: &Path| clean(&app_dir.join(path));
    let own: Vec<_> = components.iter().map(|component| source(component).map(file)).collect();
    // First the files, because what waits for one is ready as soon as its last component is.
    let mut steps: HashMap<&PathBuf, usize> = HashMap::new();
    for path in own.iter().flatten() {
        let next = steps.len();
        steps.entry(path).or_insert(next);
    }
    let step_of = |index: usize| steps.len() + index;
    let by_id: HashMap<_, _> =
        components.iter().enumerate().map(|(index, component)| (&component.id.value, step_of(index))).collect();

    let mut graph = Graph::new(steps.len() + components.len());
    for (index, component) in components.iter().enumerate() {
        if let Some(path) = &own[index] {
            graph.put_first(step_of(index), steps[path]);
        }
        for dependency in &component.dependencies {
            let first = match &dependency.source.value {
                DependencySource::Component(id) => by_id.get(id).copied(),
                DependencySource::File(path) => Some(file(path))
                    .filter(|path| own[index].as_ref() != Some(path))
                    .and_then(|path| steps.get(&path).copied()),
                _ => None,
            };
            if let Some(first) = first.filter(|first| *first != step_of(index)) {
                graph.put_first(first, step_of(index));
            }
        }
    }
    let order = graph.in_order();
    let ordered: Vec<_> =
        order.into_iter().filter_map(|step| Some(components[step.checked_sub(steps.len())?])).collect();
    if ordered.len() < components.len() { components } else { ordered }
}

fn source(component: &Component) -> Option<&Path> {
    match &component.source.value {
        SourceRef::File(path) => Some(path),
        _ => None,
    }
}

/// What has to wait for what.
struct Graph {
    /// How many steps each one still waits for.
    waits_for: Vec<usize>,
    /// The steps that wait for each one.
    waiting: Vec<Vec<usize>>,
}

impl Graph {
    fn new(steps: usize) -> Self {
        Self { waits_for: vec![0; steps], waiting: vec![Vec::new(); steps] }
    }

    fn put_first(&mut self, first: usize, then: usize) {
        self.waits_for[then] += 1;
        self.waiting[first].push(then);
    }

    /// The steps, of those that need not wait always the first; without those that wait in circles.
    fn in_order(mut self) -> Vec<usize> {
        let mut ready: BTreeSet<_> = (0..self.waits_for.len()).filter(|&step| self.waits_for[step] == 0).collect();
        let mut ordered = Vec::with_capacity(self.waits_for.len());
        while let Some(step) = ready.pop_first() {
            ordered.push(step);
            for &next in &self.waiting[step] {
                self.waits_for[next] -= 1;
                if self.waits_for[next] == 0 {
                    ready.insert(next);
                }
            }
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fmt::Write as _;

    use spin_app_model::Manifest;

    use super::*;

    fn order(components: &str) -> String {
        let text = format!("spin_manifest_version = 2\n[application]\nname = \"x\"\n[trigger]\n{components}");
        let manifest = Manifest::parse(&text, Path::new("spin.toml")).unwrap();
        let ordered = in_order(manifest.components.iter().collect(), Path::new("/app"));
        ordered.iter().map(|component| component.id.value.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn component(id: &str, source: &str, dependency: &str) -> String {
        format!("[component.{id}]\nsource = \"{source}\"\ndependencies = {{ {dependency} }}\n")
    }

    #[test]
    fn what_others_are_composed_with_comes_first_however_it_is_written() {
        for dependency in
            ["path = \"./out/../c.wasm\"", "path = \"c.wasm\"", "path = \"/app/c.wasm\"", "component = \"c\""]
        {
            let first = component("a", "a.wasm", &format!("\"x:y\" = {{ {dependency} }}"));
            let all = [first, component("b", "b.wasm", ""), component("c", "out/../c.wasm", "")].concat();
            assert_eq!(order(&all), "b c a", "{dependency}");
        }
    }

    #[test]
    fn what_is_ready_keeps_its_place() {
        let all = [
            component("c", "c", ""),
            component("a", "a", "\"x:y\" = { path = \"c\" }"),
            component("b", "b", ""),
            component("d", "c", ""),
            component("own", "own", "\"x:y\" = { path = \"own\" }, \"x:z\" = { path = \"elsewhere\" }"),
        ];
        assert_eq!(order(&all.concat()), "c b d a own", "a waits for both that have its file");
    }

    #[test]
    fn a_circle_leaves_all_where_it_is() {
        let all = [
            component("a", "a", "\"x:y\" = { path = \"b\" }"),
            component("b", "b", "\"x:y\" = { path = \"a\" }"),
            component("d", "d", "\"x:y\" = { path = \"c\" }"),
            component("c", "c", ""),
        ];
        assert_eq!(order(&all.concat()), "a b d c");
    }

    #[test]
    fn a_long_chain_takes_a_moment() {
        let mut chain = String::new();
        for number in 0..5000 {
            let next = format!("\"x:y\" = {{ path = \"w{}\" }}", number + 1);
            writeln!(chain, "{}", component(&format!("c{number}"), &format!("w{number}"), &next)).unwrap();
        }
        let begin = std::time::Instant::now();
        assert!(order(&chain).ends_with(" c2 c1 c0"));
        assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{:?}", begin.elapsed());
    }
}
