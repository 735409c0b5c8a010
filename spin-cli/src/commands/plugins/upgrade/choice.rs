//! Asking which plugins shall be upgraded, of those with a newer version.

use spin_catalogue::PluginName;
use spin_plugin_manager::PluginManager;

use crate::commands::plugins::of_store;
use crate::context::Context;
use crate::report::Report;

/// The plugins that the user chooses; `None` if there is nothing to do, which has been said then.
pub(super) async fn ask(plugins: &PluginManager, ctx: &Context) -> Result<Option<Vec<PluginName>>, Report> {
    if plugins.installed().map_err(of_store)?.is_empty() {
        ctx.ui.result("No currently installed plugins to upgrade.");
        return Ok(None);
    }
    if !ctx.ui.can_ask() {
        return Err(Report::usage("no plugin is named, and there is no terminal to ask on")
            .code("usage::nothing-named")
            .help("name the plugins to upgrade, or all of them with --all"));
    }
    let (outdated, unusable) = plugins.outdated().map_err(of_store)?;
    for unusable in unusable {
        ctx.ui.warning(&unusable.to_string());
    }
    let offered: Vec<_> =
        outdated.into_iter().filter_map(|plugin| Some((plugin.name, plugin.version, plugin.newer?.0))).collect();
    if offered.is_empty() {
        ctx.ui.result("All plugins are up to date");
        return Ok(None);
    }
    for (number, (name, version, newer)) in offered.iter().enumerate() {
        ctx.ui.remark(&format!("{:>3}  {name} {version} -> {newer}", number + 1));
    }
    loop {
        let answer = ctx.ui.ask("Which of them? Numbers, or all, or nothing:").await.unwrap_or_default();
        match chosen(&answer, offered.len()) {
            Some(numbers) if numbers.is_empty() => {
                ctx.ui.result("No plugins selected");
                return Ok(None);
            }
            Some(numbers) => return Ok(Some(numbers.iter().map(|&number| offered[number].0.clone()).collect())),
            None => {}
        }
    }
}

/// The indices that an answer names, in order and each once; `None` if it makes no sense.
fn chosen(answer: &str, count: usize) -> Option<Vec<usize>> {
    if answer.trim().eq_ignore_ascii_case("all") {
        return Some((0..count).collect());
    }
    let words = answer.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty());
    let number = |word: &str| word.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < count);
    let mut numbers = words.map(number).collect::<Option<Vec<_>>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_some_or_all_or_none() {
        assert_eq!(chosen("all\n", 3), Some(vec![0, 1, 2]));
        assert_eq!(chosen("3, 1 1\n", 3), Some(vec![0, 2]));
        assert_eq!(chosen(" \n", 3), Some(vec![]));
        for odd in ["0", "4", "one", "1-2", "-1"] {
            assert_eq!(chosen(odd, 3), None, "{odd}");
        }
    }
}
