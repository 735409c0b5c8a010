//! What was found: lines of ratios, as a table and as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::Effort;

/// One line of the report.
struct Line {
    /// What was measured, where.
    what: String,
    /// Ours, as text with its unit.
    ours: String,
    /// To whom.
    peer: &'static str,
    /// Ours divided by the peer's.
    ratio: f64,
    /// What it should be, if the house has a bound for it.
    bound: Option<Bound>,
}

/// What a ratio should be.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

impl Bound {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => ratio >= bound,
            Self::AtMost(bound) => ratio <= bound,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("≥ {bound}"),
            Self::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

/// All lines.
pub(crate) struct Report {
    effort: Effort,
    lines: Vec<Line>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(effort: Effort) -> Self {
        Self { effort, lines: Vec::new() }
    }

    /// Adds a line; `ratios` are of the pairs.
    pub(crate) fn line(
        &mut self,
        what: String,
        ours: String,
        peer: &'static str,
        ratios: &[f64],
        bound: Option<Bound>,
    ) {
        let ratio = median(ratios.to_vec());
        eprintln!("{what}: {ours}, {ratio:.2} × {peer}");
        self.lines.push(Line { what, ours, peer, ratio, bound });
    }

    /// As a table, then as JSON.
    pub(crate) fn print(&self) {
        println!("{}", self.table());
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| {
                json!({
                    "what": line.what,
                    "ours": line.ours,
                    "peer": line.peer,
                    "ratio": (line.ratio * 1000.0).round() / 1000.0,
                    "holds": line.bound.map(|bound| bound.holds(line.ratio)),
                })
            })
            .collect();
        println!("{}", json!({ "version": 1, "pairs": self.effort.pairs, "lines": lines }));
    }

    /// Writes the table to the page of results, in the place of the last one.
    pub(crate) fn keep(&self) {
        const MARK: &str = "<!-- results -->\n";
        let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        let text = std::fs::read_to_string(&page).expect("the page is there");
        let (before, _) = text.split_once(MARK).expect("the page has a mark");
        let Effort { pairs, seconds } = self.effort;
        let machine = machine();
        let table = self.table();
        let text = format!("{before}{MARK}\n{machine}; medians of {pairs} pairs of {seconds} s.\n\n{table}");
        std::fs::write(&page, text).expect("the page can be written");
    }

    fn table(&self) -> String {
        let mut table = String::from("| what | ours | to | ratio | should be |\n|---|---|---|---|---|\n");
        for line in &self.lines {
            let should = line.bound.map_or(String::new(), |bound| {
                format!("{}{}", bound.text(), if bound.holds(line.ratio) { "" } else { " (**missed**)" })
            });
            let Line { what, ours, peer, ratio, .. } = line;
            writeln!(table, "| {what} | {ours} | {peer} | {ratio:.2} | {should} |").expect("a string takes everything");
        }
        table
    }
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores of {}, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}
