//! Charts of lines and of bars, as SVG files of their own.
//!
//! Lines differ in colour, in dashes and in the shape of their markers; the colours are those of Okabe and Ito,
//! which people with red-green blindness can tell apart. Ticks are at multiples of 1, 2 and 5.

mod axis;

use core::fmt;

use crate::svg::{Point, Svg};
pub use axis::{Axis, Scale};
use axis::{Placed, Range};

const WIDTH: f64 = 760.0;
const PLOT: f64 = 340.0; // the height between top and bottom axis
const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 30.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = TOP + PLOT;
const LEGEND_ROW: f64 = 20.0;
/// The width of a letter at 12 px, on average and a bit more.
const LETTER: f64 = 7.0;

/// Colours and dashes of a file of its own. `c0` to `c6` are the colours, `d0` to `d6` the dashes.
const STYLE: &str = "\
text{font:12px sans-serif;fill:#222}.title{font-weight:bold;font-size:14px}.muted{fill:#555}\
.middle{text-anchor:middle}.end{text-anchor:end}.grid{stroke:#ddd}.mark{stroke:#222;stroke-dasharray:2 3}\
.paper{fill:#fff}.series{fill:none;stroke-width:2}\
.c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#cc79a7}.c4{stroke:#000}.c5{stroke:#e69f00}.c6{stroke:#56b4e9}\
.f0{fill:#0072b2}.f1{fill:#d55e00}.f2{fill:#009e73}.f3{fill:#cc79a7}.f4{fill:#000}.f5{fill:#e69f00}.f6{fill:#56b4e9}\
.d1{stroke-dasharray:8 4}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:10 3 2 3}.d4{stroke-dasharray:5 2}\
.d5{stroke-dasharray:12 3 2 3 2 3}.d6{stroke-dasharray:1 4}";
const STYLES: usize = 7;

/// A chart has nothing to show: no point lies on its axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty;

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to draw: no value lies on the axes of the chart")
    }
}

impl core::error::Error for Empty {}

/// A chart of lines and dots.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What it shows; also what a screen reader says.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines, in the order of the legend.
    pub series: Vec<Series>,
    /// Moments that the text names, as vertical lines.
    pub marks: Vec<Mark>,
}

/// One line of a chart.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Which of the seven colours; also decides the shape of markers.
    pub colour: usize,
    /// Which of the seven dashes; 0 is solid.
    pub dash: usize,
    /// How its points are drawn.
    pub style: Style,
    /// Its points. Those that have no place on an axis, such as 0 among powers of ten, interrupt the line.
    pub points: Vec<Point>,
}

/// How the points of a line are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Joined.
    Line,
    /// Joined, with a marker at each.
    Marked,
    /// A marker at each, not joined.
    Dots,
}

/// A vertical line with a text.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Where it stands on the horizontal axis.
    pub x: f64,
    /// What happens there.
    pub label: String,
}

impl Series {
    /// Returns a line with its own colour and dash, both chosen by `index`.
    #[must_use]
    pub fn new(name: impl Into<String>, index: usize, points: Vec<Point>) -> Self {
        Self { name: name.into(), colour: index, dash: index, style: Style::Line, points }
    }
}

impl Chart {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// [`Empty`] if no point has a place on both axes.
    pub fn draw(&self) -> Result<String, Empty> {
        let shown = || {
            let all = self.series.iter().flat_map(|series| series.points.iter().copied());
            all.filter(|(x, y)| {
                self.x.scale.place(*x).is_some() && self.y.scale.place(*y).is_some()
            })
        };
        let marks = self.marks.iter().map(|mark| mark.x);
        let x = Range::around(&self.x, shown().map(|(x, _)| x).chain(marks)).ok_or(Empty)?;
        let y = Range::around(&self.y, shown().map(|(_, y)| y)).ok_or(Empty)?;
        if shown().next().is_none() {
            return Err(Empty);
        }
        let across = Placed { range: x, from: LEFT, to: RIGHT };
        let up = Placed { range: y, from: BOTTOM, to: TOP };
        let legend = Legend::new(&self.series);
        let mut svg = Svg::file(WIDTH, BOTTOM + 48.0 + legend.height(), &self.title, STYLE);
        svg.text((LEFT, 22.0), "title", &self.title);
        svg.text((LEFT, 42.0), "muted", &self.y.label);
        svg.text((RIGHT, BOTTOM + 38.0), "muted end", &self.x.label);
        axes(&mut svg, &across, &up);
        for (row, mark) in self.marks.iter().enumerate() {
            mark.draw(&mut svg, &across, row);
        }
        for series in &self.series {
            series.draw(&mut svg, &across, &up);
        }
        legend.draw(&mut svg, &self.series);
        Ok(svg.finish())
    }
}

fn axes(svg: &mut Svg, across: &Placed<'_>, up: &Placed<'_>) {
    for (value, label) in up.range.ticks() {
        if let Some(y) = up.at(value) {
            svg.line((LEFT, y), (RIGHT, y), "grid");
            svg.text((LEFT - 8.0, y + 4.0), "muted end", label);
        }
    }
    for (value, label) in across.range.ticks() {
        if let Some(x) = across.at(value) {
            svg.line((x, BOTTOM), (x, BOTTOM + 5.0), "grid");
            svg.text((x, BOTTOM + 20.0), "muted middle", label);
        }
    }
}

impl Mark {
    fn draw(&self, svg: &mut Svg, across: &Placed<'_>, row: usize) {
        let Some(x) = across.at(self.x) else { return };
        svg.line((x, TOP), (x, BOTTOM), "mark");
        let y = TOP + 14.0 + 16.0 * row as f64;
        let width = LETTER * self.label.chars().count() as f64;
        let (x, class) =
            if x + 6.0 + width < RIGHT { (x + 6.0, "muted") } else { (x - 6.0, "muted end") };
        svg.text((x, y), class, &self.label);
    }
}

impl Series {
    fn draw(&self, svg: &mut Svg, across: &Placed<'_>, up: &Placed<'_>) {
        let place = |(x, y): &Point| Some((across.at(*x)?, up.at(*y)?));
        let places: Vec<Option<Point>> = self.points.iter().map(place).collect();
        for run in places.split(Option::is_none) {
            let run: Vec<Point> = run.iter().copied().flatten().collect();
            if self.style != Style::Dots && run.len() > 1 {
                svg.polyline(&run, &self.line_class());
            }
            if self.style != Style::Line || run.len() == 1 {
                for point in run {
                    self.marker(svg, point);
                }
            }
        }
    }

    fn line_class(&self) -> String {
        format!("series c{} d{}", self.colour % STYLES, self.dash % STYLES)
    }

    /// Draws a marker whose shape depends on the colour.
    fn marker(&self, svg: &mut Svg, (x, y): Point) {
        let class = format!("f{}", self.colour % STYLES);
        let around = |shape: &[Point]| -> Vec<Point> {
            shape.iter().map(|(dx, dy)| (x + dx, y + dy)).collect()
        };
        match self.colour % STYLES {
            0 => svg.circle((x, y), 3.5, &class),
            1 => svg.rect((x - 3.0, y - 3.0), 6.0, 6.0, &class),
            2 => svg.polygon(&around(&[(0.0, -4.5), (4.2, 3.0), (-4.2, 3.0)]), &class),
            3 => svg.polygon(&around(&[(0.0, -4.8), (4.8, 0.0), (0.0, 4.8), (-4.8, 0.0)]), &class),
            4 => svg.polygon(&around(&[(0.0, 4.5), (4.2, -3.0), (-4.2, -3.0)]), &class),
            5 => svg.rect((x - 5.0, y - 1.5), 10.0, 3.0, &class),
            _ => svg.rect((x - 1.5, y - 5.0), 3.0, 10.0, &class),
        }
    }
}

/// Names of the lines below the chart, in columns that are wide enough for the longest.
struct Legend {
    columns: usize,
    width: f64,
    rows: usize,
}

impl Legend {
    fn new(series: &[Series]) -> Self {
        let longest = series.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
        let width = 50.0 + LETTER * longest as f64;
        let columns = (((RIGHT - LEFT) / width) as usize).clamp(1, series.len().max(1));
        Self { columns, width, rows: series.len().div_ceil(columns) }
    }

    fn height(&self) -> f64 {
        LEGEND_ROW * self.rows as f64 + 8.0
    }

    fn draw(&self, svg: &mut Svg, all: &[Series]) {
        for (at, series) in all.iter().enumerate() {
            let x = LEFT + self.width * (at % self.columns) as f64;
            let y = BOTTOM + 60.0 + LEGEND_ROW * (at / self.columns) as f64;
            if series.style != Style::Dots {
                svg.polyline(&[(x, y - 4.0), (x + 30.0, y - 4.0)], &series.line_class());
            }
            if series.style != Style::Line {
                series.marker(svg, (x + 15.0, y - 4.0));
            }
            svg.text((x + 38.0, y), "", &series.name);
        }
    }
}

/// Draws a bar for each value, on a scale of powers of ten.
///
/// # Errors
///
/// [`Empty`] if no value is above 0.
pub fn bars(title: &str, unit: &str, rows: &[(String, f64)]) -> Result<String, Empty> {
    const STEP: f64 = 34.0;
    let axis = Axis::new(unit, Scale::Log10);
    let values = rows.iter().map(|(_, value)| *value).filter(|value| *value > 0.0);
    let range = Range::around(&axis, values.chain([1.0])).ok_or(Empty)?;
    if rows.iter().all(|(_, value)| *value <= 0.0) {
        return Err(Empty);
    }
    let longest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let left = 20.0 + LETTER * longest as f64;
    let across = Placed { range, from: left, to: WIDTH.max(left + 300.0) - 80.0 };
    let bottom = 44.0 + STEP * rows.len() as f64;
    let mut svg = Svg::file(across.to + 80.0, bottom + 52.0, title, STYLE);
    svg.text((10.0, 22.0), "title", title);
    svg.text((across.to, bottom + 40.0), "muted end", unit);
    for (value, label) in across.range.ticks() {
        if let Some(x) = across.at(value) {
            svg.line((x, 34.0), (x, bottom), "grid");
            svg.text((x, bottom + 18.0), "muted middle", label);
        }
    }
    for (at, (name, value)) in rows.iter().enumerate() {
        let y = 40.0 + STEP * at as f64;
        let end = across.at(*value).unwrap_or(left);
        svg.text((left - 8.0, y + 16.0), "end", name);
        svg.rect((left, y), (end - left).max(0.0), 22.0, &format!("bar f{}", at % STYLES));
        svg.text((end + 6.0, y + 16.0), "", format!("{value:.0}"));
    }
    Ok(svg.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<Point>) -> Chart {
        Chart {
            title: "A & B".into(),
            x: Axis::new("x", Scale::Linear),
            y: Axis::new("y", Scale::Log10),
            series: vec![Series::new("a <line>", 0, points)],
            marks: vec![],
        }
    }

    #[test]
    fn a_chart_without_a_point_on_its_axes_is_an_error() {
        assert_eq!(chart(vec![]).draw(), Err(Empty));
        assert_eq!(chart(vec![(1.0, 0.0), (2.0, f64::NAN)]).draw(), Err(Empty));
        assert_eq!(bars("t", "u", &[("a".into(), 0.0)]), Err(Empty));
    }

    #[test]
    fn a_single_point_is_visible() {
        let svg = chart(vec![(3.0, 7.0)]).draw().unwrap();
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("a &lt;line&gt;") && svg.contains("A &amp; B"));
    }

    #[test]
    fn a_value_without_a_place_interrupts_the_line() {
        let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, 0.0), (3.0, 5.0), (4.0, 4.0)];
        let svg = chart(points).draw().unwrap();
        assert_eq!(svg.matches("<polyline").count(), 3, "two runs and the legend");
    }

    #[test]
    fn legends_and_marks_end_inside_the_canvas() {
        let name = "a rather long name of a line of the chart";
        let mut chart = chart(vec![(0.0, 1.0), (9.0, 9.0)]);
        chart.series = (0..7).map(|n| Series::new(name, n, vec![(0.0, 1.0), (9.0, 9.0)])).collect();
        chart.marks = vec![Mark { x: 8.9, label: "the end of all that is known".into() }];
        let svg = chart.draw().unwrap();
        let number = |text: &str, key: &str| -> f64 {
            text.split(key).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        let height = number(&svg, "height=\"");
        for text in svg.split("<text").skip(1) {
            let x = number(text, " x=\"");
            let y = number(text, " y=\"");
            let words = text.split('>').nth(1).unwrap().split('<').next().unwrap();
            let width = LETTER * words.chars().count() as f64;
            let (start, end) = if text.contains("end\"") {
                (x - width, x)
            } else if text.contains("middle\"") {
                (x - width / 2.0, x + width / 2.0)
            } else {
                (x, x + width)
            };
            assert!(start >= 0.0 && end <= WIDTH && y < height, "{words} at {x} {y}");
        }
    }

    #[test]
    fn bars_grow_with_their_values() {
        let svg = bars("t", "u", &[("a".into(), 10.0), ("b".into(), 1000.0)]).unwrap();
        let widths: Vec<f64> = svg
            .split("class=\"bar")
            .skip(1)
            .map(|bar| {
                bar.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
            })
            .collect();
        assert!((widths[1] / widths[0] - 3.0).abs() < 0.01, "{widths:?}");
    }
}
