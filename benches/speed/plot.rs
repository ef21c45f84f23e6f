//! Plots as SVG, drawn by hand: bars of throughput, and answers over time while Redis fails.

use std::fmt::Write as _;

use super::load::number;
use super::report::Report;

const WIDTH: f64 = 760.0;
const BAR: f64 = 18.0;
const LABEL: f64 = 250.0;
const COLOURS: [&str; 8] = [
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#9d755d", "#bab0ac",
];

/// All plots, by file name.
pub(crate) fn all(report: &Report) -> Vec<(String, String)> {
    let mut plots: Vec<(String, String)> = report
        .connections()
        .into_iter()
        .map(|n| (format!("throughput-{n}.svg"), throughput(report, n)))
        .collect();
    for (name, slots) in &report.lines {
        let file: String = name
            .chars()
            .map(|it| if it.is_alphanumeric() { it } else { '-' })
            .collect();
        plots.push((
            format!("{}.svg", file.to_lowercase()),
            over_time(name, slots),
        ));
    }
    plots
}

/// One bar for each contender at `n` connections.
fn throughput(report: &Report, n: usize) -> String {
    let bars: Vec<(&str, f64)> = report
        .names
        .iter()
        .filter_map(|name| Some((*name, report.median(name, n, |it| it.rate)?)))
        .collect();
    let most = bars.iter().map(|it| it.1).fold(1.0, f64::max);
    let height = 40.0 + (BAR + 6.0) * number(bars.len() as u64);
    let mut svg = open(height, &format!("Requests a second, {n} connections"));
    for (at, (name, rate)) in bars.iter().enumerate() {
        let y = 34.0 + (BAR + 6.0) * number(at as u64);
        let width = (WIDTH - LABEL - 80.0) * rate / most;
        let colour = COLOURS.get(at % COLOURS.len()).unwrap_or(&"#888");
        let text = y + BAR - 5.0;
        let end = LABEL + width + 6.0;
        draw(
            &mut svg,
            format_args!(
                "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LABEL}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{text}\">{rate:.0}</text>\n",
                LABEL - 8.0
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Answers in each tenth of a second.
fn over_time(name: &str, slots: &[u64]) -> String {
    let most = slots.iter().copied().max().unwrap_or(1).max(1);
    let mut svg = open(240.0, &format!("{name}: answers in each 100 ms"));
    let step = (WIDTH - 60.0) / number(slots.len().max(1) as u64);
    let points: Vec<String> = slots
        .iter()
        .enumerate()
        .map(|(at, n)| {
            let x = 50.0 + step * number(at as u64);
            let y = 220.0 - 180.0 * number(*n) / number(most);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    draw(
        &mut svg,
        format_args!(
            "<polyline fill=\"none\" stroke=\"#4c78a8\" stroke-width=\"1.5\" points=\"{}\"/>\
         <line x1=\"50\" y1=\"220\" x2=\"{WIDTH}\" y2=\"220\" stroke=\"#888\"/>\
         <text x=\"44\" y=\"46\" text-anchor=\"end\">{most}</text>\
         <text x=\"44\" y=\"222\" text-anchor=\"end\">0</text>\n</svg>\n",
            points.join(" ")
        ),
    );
    svg
}

fn open(height: f64, title: &str) -> String {
    let mut svg = String::new();
    draw(
        &mut svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <text x=\"12\" y=\"20\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n"
        ),
    );
    svg
}

fn draw(svg: &mut String, what: std::fmt::Arguments<'_>) {
    svg.write_fmt(what)
        .expect("invariant: a string takes what is written");
}
