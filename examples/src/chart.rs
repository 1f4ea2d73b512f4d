//! A chart of lines as SVG.

use core::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 590.0; // the names of the lines stand beyond
const TOP: f64 = 40.0;
const BOTTOM: f64 = 370.0;
const COLOURS: [&str; 7] =
    ["#3b6ea5", "#c0392b", "#2e8b57", "#8e5ea2", "#d2862a", "#555", "#1795a8"];

/// A chart under construction.
pub struct Chart {
    /// What it shows; also what a screen reader says.
    pub title: String,
    /// What the horizontal axis counts.
    pub x: String,
    /// What the vertical axis counts.
    pub y: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line of a chart.
pub struct Line {
    /// Its name.
    pub name: String,
    /// Which of the colours; those of one colour belong together.
    pub colour: usize,
    /// Whether the points are drawn as dots and not joined.
    pub dots: bool,
    /// The points; those that are not above 0 are left out, as powers of ten have no place for them.
    pub points: Vec<(f64, f64)>,
}

impl Chart {
    /// Draws it: a file of its own.
    #[must_use]
    pub fn draw(&self) -> String {
        let logs = || self.points().map(|(_, y)| y.log10()).filter(|log| log.is_finite());
        let low = logs().fold(f64::INFINITY, f64::min).floor();
        let high = logs().fold(f64::NEG_INFINITY, f64::max).ceil().max(low + 1.0);
        let label = |decade: i32| match decade.abs() {
            0..4 => 10_f64.powi(decade).to_string(),
            _ => format!("1e{decade}"),
        };
        let ticks = (low as i32..=high as i32).map(|at| (10_f64.powi(at), label(at))).collect();
        self.render(&Scale { place: f64::log10, low, high, ticks })
    }

    /// Draws it with hundredths from 0 to 100 on the vertical axis.
    #[must_use]
    pub fn draw_percent(&self) -> String {
        let ticks = (0..=5).map(|fifth| (f64::from(fifth * 20), format!("{} %", fifth * 20)));
        self.render(&Scale { place: |y| y, low: 0.0, high: 100.0, ticks: ticks.collect() })
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.lines.iter().flat_map(|line| &line.points).copied()
    }

    fn render(&self, scale: &Scale) -> String {
        let shown = || self.points().filter(|(_, y)| (scale.place)(*y).is_finite());
        let least_x = shown().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
        let most_x = shown().map(|(x, _)| x).fold(f64::NEG_INFINITY, f64::max);
        let (wide, tall) = ((most_x - least_x).max(1e-9), scale.high - scale.low);
        let at = |x: f64, y: f64| {
            let right = (x - least_x) / wide * (RIGHT - LEFT);
            let up = ((scale.place)(y) - scale.low) / tall * (BOTTOM - TOP);
            (LEFT + right, BOTTOM - up)
        };
        let (title, x_name, y_name) = (escape(&self.title), escape(&self.x), escape(&self.y));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"{title}\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"16\" font-weight=\"bold\">{title}</text>\n\
             <text x=\"{LEFT}\" y=\"32\" fill=\"#666\">{y_name}</text>\n\
             <text x=\"{RIGHT}\" y=\"408\" text-anchor=\"end\" fill=\"#666\">{x_name}</text>\n"
        );
        if shown().next().is_some() {
            axes(&mut svg, (least_x, most_x), scale, at);
        }
        let mut named = TOP + 10.0;
        for line in &self.lines {
            line.draw(&mut svg, named, at);
            named += 18.0;
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// What the vertical axis means.
struct Scale {
    place: fn(f64) -> f64,
    low: f64, // places, not values
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Line {
    fn draw(&self, svg: &mut String, named: f64, at: impl Fn(f64, f64) -> (f64, f64)) {
        let colour = COLOURS[self.colour % COLOURS.len()];
        let points = self.points.iter().map(|(x, y)| at(*x, *y)).filter(|(_, y)| y.is_finite());
        let (mark, label) = (RIGHT + 14.0, RIGHT + 36.0);
        let middle = named - 4.0;
        if self.dots {
            for (x, y) in points.chain([(mark + 8.0, middle)]) {
                let _ =
                    write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
        } else {
            let points: Vec<_> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = write!(
                svg,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>\
                 <path stroke=\"{colour}\" stroke-width=\"2\" d=\"M{mark} {middle}h16\"/>",
                points.join(" ")
            );
        }
        let _ = writeln!(svg, "<text x=\"{label}\" y=\"{named}\">{}</text>", escape(&self.name));
    }
}

fn axes(
    svg: &mut String,
    (least, most): (f64, f64),
    scale: &Scale,
    at: impl Fn(f64, f64) -> (f64, f64),
) {
    for (tick, label) in &scale.ticks {
        let (_, y) = at(least, *tick);
        let _ = writeln!(
            svg,
            "<path stroke=\"#ddd\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{label}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    for part in 0..=5 {
        let x = least + (most - least) * f64::from(part) / 5.0;
        let (left, _) = at(x, 1.0);
        let _ = writeln!(
            svg,
            "<text x=\"{left:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#666\">{}</text>",
            BOTTOM + 18.0,
            (x * 10.0).round() / 10.0
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
