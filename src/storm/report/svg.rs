//! A small chart in SVG: a frame with two axes, and what is drawn into it.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 34.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 10.0;

/// How values lie on an axis.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// From 0 to this.
    Linear(f64),
    /// From the first to the second, by powers of ten. Both are larger than 0.
    Log(f64, f64),
}

/// A chart under construction.
#[derive(Debug)]
pub(super) struct Chart {
    x: Scale,
    y: Scale,
    body: String,
}

impl Scale {
    /// Where a value lies, between 0 and 1.
    fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear(most) => value / most.max(f64::MIN_POSITIVE),
            Self::Log(least, most) => (value.max(least) / least).ln() / (most / least).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// Values that are worth a label.
    fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(most) => {
                let step = step(most);
                let ticks = (0..=20).map(|it| f64::from(it) * step);
                ticks.take_while(|it| *it <= most * 1.001).collect()
            }
            Self::Log(least, most) => {
                let ticks = (-6..=6).map(|it| 10_f64.powi(it));
                let fits = |it: &f64| least * 0.999 <= *it && *it <= most * 1.001;
                ticks.filter(fits).collect()
            }
        }
    }
}

/// A round number of which about five make `most`.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|it| it * power);
    let found = steps.into_iter().find(|it| rough <= *it);
    found.unwrap_or(power * 10.0)
}

impl Chart {
    pub(super) fn new(x: Scale, y: Scale) -> Self {
        Self {
            x,
            y,
            body: String::new(),
        }
    }

    /// A box from `x0` to `x1` and from `y0` to `y1`.
    pub(super) fn bar(
        &mut self,
        class: &str,
        (x0, x1): (f64, f64),
        (y0, y1): (f64, f64),
        title: &str,
    ) {
        let (left, right) = (self.at_x(x0), self.at_x(x1));
        let (top, bottom) = (self.at_y(y1), self.at_y(y0));
        let (width, height) = ((right - left).max(0.5), (bottom - top).max(0.0));
        let title = escape(title);
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{title}</title></rect>"
        ));
    }

    /// A line through points.
    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (n, (x, y)) in points.iter().enumerate() {
            let letter = if n == 0 { 'M' } else { 'L' };
            let (x, y) = (self.at_x(*x), self.at_y(*y));
            self.write(&mut path, format_args!("{letter}{x:.1} {y:.1}"));
        }
        self.push(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// A band over the whole height: something happened from `from` to `until`.
    pub(super) fn band(&mut self, class: &str, from: f64, until: f64, title: &str) {
        let (left, right) = (self.at_x(from), self.at_x(until));
        let (width, height) = ((right - left).max(1.0), HEIGHT - TOP - BOTTOM);
        let title = escape(title);
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{title}</title></rect>"
        ));
    }

    /// The chart with its axes, as an element of a page.
    pub(super) fn finish(self, label: &str, x_unit: &str) -> String {
        let mut axes = String::new();
        let (right, low) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in self.y.ticks() {
            let y = self.at_y(tick);
            let (text_y, tick) = (y + 4.0, number(tick));
            let text_x = LEFT - 6.0;
            self.write(
                &mut axes,
                format_args!(
                    "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                     <text x=\"{text_x}\" y=\"{text_y:.1}\" text-anchor=\"end\">{tick}</text>"
                ),
            );
        }
        for tick in self.x.ticks() {
            let (x, y, tick) = (self.at_x(tick), low + 15.0, number(tick));
            self.write(
                &mut axes,
                format_args!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{tick}</text>"),
            );
        }
        let (label, x_unit) = (escape(label), escape(x_unit));
        let unit_y = HEIGHT - 4.0;
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">{axes}{}\
             <line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{low}\" y2=\"{low}\"/>\
             <text x=\"{right}\" y=\"{unit_y}\" text-anchor=\"end\">{x_unit}</text></svg>",
            self.body
        )
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        let mut body = std::mem::take(&mut self.body);
        self.write(&mut body, text);
        self.body = body;
    }

    #[expect(clippy::unused_self, reason = "it reads as a chart that draws")]
    fn write(&self, to: &mut String, text: std::fmt::Arguments<'_>) {
        to.write_fmt(text)
            .expect("invariant: a string takes what is written");
    }
}

/// A number without needless digits.
fn number(value: f64) -> String {
    if value == 0.0 || 1.0 <= value.abs() {
        format!("{value:.0}")
    } else {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').to_owned()
    }
}

/// Text that is part of a page.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_their_scale() {
        assert_eq!(Scale::Linear(48.0).ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Scale::Linear(0.9).ticks().len(), 5);
        assert_eq!(Scale::Log(0.01, 10.0).ticks(), [0.01, 0.1, 1.0, 10.0]);
    }

    #[test]
    fn what_lies_outside_is_drawn_at_the_edge() {
        let scale = Scale::Log(0.01, 10.0);
        let is_at = |scale: Scale, value, place: f64| (scale.place(value) - place).abs() < 1e-9;
        assert!(is_at(scale, 0.1, 1.0 / 3.0));
        assert!(is_at(scale, 0.0, 0.0) && is_at(scale, 99.0, 1.0));
        assert!(is_at(Scale::Linear(0.0), 1.0, 1.0));
    }

    #[test]
    fn text_can_t_become_part_of_the_page() {
        let mut chart = Chart::new(Scale::Linear(1.0), Scale::Linear(1.0));
        chart.bar("a", (0.0, 1.0), (0.0, 1.0), "<script>");
        let svg = chart.finish("\"x\" & y", "s");
        assert!(
            !svg.contains("<script>") && svg.contains("&quot;x&quot; &amp; y"),
            "{svg}"
        );
    }
}
