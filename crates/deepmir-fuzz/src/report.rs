//! What is printed at the end.

use std::fmt::Write;
use std::time::Duration;

use crate::campaign::Outcome;
use crate::harm::Harm;
use crate::scene::Scene;

/// Cases by scene and harm, exit codes, the longest case, findings.
pub fn table(scenes: &[Scene], outcome: &Outcome, took: Duration) -> String {
    let mut text = String::new();
    let harms = Harm::all();
    let mut line = |cells: Vec<String>| {
        let (first, rest) = cells
            .split_first()
            .map_or((String::new(), &[][..]), |(first, rest)| (first.clone(), rest));
        let rest: String = rest.iter().map(|cell| format!(" {cell:>7}")).collect();
        let _ = writeln!(text, "{first:<13}{rest}");
    };
    let names = harms.iter().map(|harm| harm.name().to_owned());
    let more = ["all", "exit 0", "1", "3", "found", "max s"].map(str::to_owned);
    line([String::new()].into_iter().chain(names).chain(more).collect());
    let scene_found = |scene: usize| -> u64 {
        outcome.faults.values().filter(|(.., of)| *of == scene).map(|(count, ..)| count).sum()
    };
    let shown = |count: u64| if count == 0 { "·".to_owned() } else { count.to_string() };
    for (n, scene) in scenes.iter().enumerate() {
        let count = |harm: &Harm| outcome.counts.get(&(n, *harm)).copied().unwrap_or(0);
        let code = |code: i32| outcome.codes.get(&(n, code)).copied().unwrap_or(0);
        let mut cells = vec![scene.name.to_owned()];
        cells.extend(harms.iter().map(|harm| shown(count(harm))));
        cells.push(shown(harms.iter().map(count).sum()));
        cells.extend([0, 1, 3].map(|of| shown(code(of))));
        cells.push(shown(scene_found(n)));
        let longest = outcome.longest.get(&n).copied().unwrap_or_default();
        cells.push(format!("{:.2}", longest.as_secs_f64()));
        line(cells);
    }
    let by_harm = |harm: &Harm| {
        outcome.counts.iter().filter(|((_, of), _)| of == harm).map(|(_, count)| count).sum()
    };
    let by_code = |code: i32| {
        outcome.codes.iter().filter(|((_, of), _)| *of == code).map(|(_, count)| count).sum()
    };
    let all: u64 = outcome.counts.values().sum();
    let found: u64 = outcome.faults.values().map(|(count, ..)| count).sum();
    let mut cells = vec!["all".to_owned()];
    cells.extend(harms.iter().map(|harm| shown(by_harm(harm))));
    cells.push(shown(all));
    cells.extend([0, 1, 3].map(|of| shown(by_code(of))));
    cells.extend([shown(found), String::new()]);
    line(cells);
    let _ = writeln!(
        text,
        "{all} cases in {:.0} s, {} faults found",
        took.as_secs_f64(),
        outcome.faults.len()
    );
    for (fault, (count, ..)) in &outcome.faults {
        let _ = writeln!(text, "  {count:>5} × {fault}");
    }
    text
}
