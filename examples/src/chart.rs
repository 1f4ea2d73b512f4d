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
    /// What the vertical axis counts, in powers of ten.
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
        let shown = || self.lines.iter().flat_map(|line| &line.points).filter(|(_, y)| *y > 0.0);
        let least_x = shown().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
        let most_x = shown().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
        let low = shown().map(|(_, y)| y.log10()).fold(f64::INFINITY, f64::min).floor();
        let high = shown().map(|(_, y)| y.log10()).fold(f64::NEG_INFINITY, f64::max).ceil();
        let (wide, tall) = ((most_x - least_x).max(1e-9), (high - low).max(1.0));
        let at = |x: f64, y: f64| {
            let right = (x - least_x) / wide * (RIGHT - LEFT);
            (LEFT + right, BOTTOM - (y.log10() - low) / tall * (BOTTOM - TOP))
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
            axes(&mut svg, (least_x, most_x), (low, low + tall), at);
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

impl Line {
    fn draw(&self, svg: &mut String, named: f64, at: impl Fn(f64, f64) -> (f64, f64)) {
        let colour = COLOURS[self.colour % COLOURS.len()];
        let points = self.points.iter().filter(|(_, y)| *y > 0.0).map(|(x, y)| at(*x, *y));
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
    (low, high): (f64, f64),
    at: impl Fn(f64, f64) -> (f64, f64),
) {
    for decade in low as i32..=high as i32 {
        let (_, y) = at(least, 10_f64.powi(decade));
        let label =
            if decade.abs() < 4 { 10_f64.powi(decade).to_string() } else { format!("1e{decade}") };
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
