//! The shapes of which charts and the report are made. Colours and line styles are classes of a style sheet.

use core::f64::consts::TAU;
use core::fmt::{Display, Write as _};
use core::time::Duration;

/// A position in units of the picture: to the right, and down.
pub type Point = (f64, f64);

/// A picture under construction.
pub struct Svg {
    out: String,
    end: &'static str,
}

/// A picture in a page does not become smaller than this part of its size: then it scrolls, and its texts stay readable.
const LEAST: f64 = 0.8;

impl Svg {
    /// Begins a file of its own with a style sheet, on white; `label` is what a screen reader says.
    #[must_use]
    pub fn file(width: f64, height: f64, label: &str, style: &str) -> Self {
        let label = escape(label);
        Self {
            out: format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="{label}"><style>{style}</style><rect class="paper" width="100%" height="100%"/>"#
            ) + "\n",
            end: "</svg>\n",
        }
    }

    /// Begins a picture inside a page; `label` is what a screen reader says.
    #[must_use]
    pub fn new(width: f64, height: f64, class: &str, label: &str) -> Self {
        let label = escape(label);
        let least = LEAST * width;
        Self {
            out: format!(
                r#"<div class="scroll"><svg class="{class}" style="min-width:{least:.0}px" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="{label}">"#
            ) + "\n",
            end: "</svg></div>\n",
        }
    }

    /// Ends the picture and returns it.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.out.push_str(self.end);
        self.out
    }

    /// Opens a group; `title` is what a pointer that rests on it shows.
    pub fn open(&mut self, attributes: &str, title: &str) {
        self.out.push_str("<g");
        if !attributes.is_empty() {
            self.out.push(' ');
            self.out.push_str(attributes);
        }
        self.out.push('>');
        if !title.is_empty() {
            let _ = write!(self.out, "<title>{}</title>", escape(title));
        }
    }

    /// Closes the group that was opened last.
    pub fn close(&mut self) {
        self.out.push_str("</g>\n");
    }

    /// Draws a circle.
    pub fn circle(&mut self, (x, y): Point, radius: f64, class: &str) {
        let _ =
            write!(self.out, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#);
    }

    /// Draws a rectangle from its upper left corner.
    pub fn rect(&mut self, (x, y): Point, width: f64, height: f64, class: &str) {
        let _ = write!(
            self.out,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        );
    }

    /// A rectangle that the slider shows in parts, once each of `steps` has come.
    pub fn timed_rect(&mut self, (x, y): Point, width: f64, height: f64, class: &str, steps: &str) {
        let _ = write!(
            self.out,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" data-t="{steps}"/>"#
        );
    }

    /// Draws a line.
    pub fn line(&mut self, (x1, y1): Point, (x2, y2): Point, class: &str) {
        let _ = write!(
            self.out,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    /// Draws a line through all points.
    pub fn polyline(&mut self, points: &[Point], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.out, r#"<polyline class="{class}" points="{}"/>"#, points.join(" "));
    }

    /// Draws an area.
    pub fn polygon(&mut self, points: &[Point], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.out, r#"<polygon class="{class}" points="{}"/>"#, points.join(" "));
    }

    /// An arc of a circle, clockwise; turns as in [`on_circle`].
    pub fn arc(&mut self, center: Point, radius: f64, from: f64, to: f64, class: &str) {
        let span = (to - from).rem_euclid(1.0);
        let ((x1, y1), (x2, y2)) = (on_circle(center, radius, from), on_circle(center, radius, to));
        let large = u8::from(span > 0.5);
        let _ = write!(
            self.out,
            r#"<path class="{class}" d="M{x1:.1} {y1:.1}A{radius} {radius} 0 {large} 1 {x2:.1} {y2:.1}"/>"#
        );
    }

    /// An arrow between two points, shortened at both ends and bent to its left by `bend` units.
    pub fn arrow(&mut self, from: Point, to: Point, gaps: (f64, f64), bend: f64, class: &str) {
        let dx = to.0 - from.0;
        let dy = to.1 - from.1;
        let length = dx.hypot(dy).max(1.0);
        let middle = (
            f64::midpoint(from.0, to.0) + dy / length * bend,
            f64::midpoint(from.1, to.1) - dx / length * bend,
        );
        let start = towards(from, middle, gaps.0);
        let tip = towards(to, middle, gaps.1);
        let neck = towards(to, middle, gaps.1 + 8.0);
        let _ = write!(
            self.out,
            r#"<path class="{class}" d="M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}"/>"#,
            start.0, start.1, middle.0, middle.1, neck.0, neck.1
        );
        let ux = (tip.0 - neck.0) / 8.0;
        let uy = (tip.1 - neck.1) / 8.0;
        let wing = |side: f64| (neck.0 - uy * side, neck.1 + ux * side);
        self.polygon(&[tip, wing(3.5), wing(-3.5)], &format!("{class} head"));
    }

    /// Writes a text whose baseline begins at a point.
    pub fn text(&mut self, (x, y): Point, class: &str, text: impl Display) {
        let text = escape(&text.to_string());
        let _ = write!(self.out, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#);
    }
}

/// Returns a point of a circle; a turn of 0 is at the top, of 0.25 on the right.
#[must_use]
pub fn on_circle(center: Point, radius: f64, turn: f64) -> Point {
    let (sin, cos) = f64::sin_cos(turn * TAU);
    (center.0 + radius * sin, center.1 - radius * cos)
}

fn towards(from: Point, to: Point, distance: f64) -> Point {
    let dx = to.0 - from.0;
    let dy = to.1 - from.1;
    let length = dx.hypot(dy).max(1.0);
    (from.0 + dx / length * distance, from.1 + dy / length * distance)
}

/// Returns sorted positions moved apart until neighbours keep their distance: `widths` is what each needs. With `around`
/// the last is a neighbour of the first, one turn later.
#[must_use]
pub fn spread(positions: &[f64], widths: &[f64], around: bool) -> Vec<f64> {
    let mut at = positions.to_vec();
    let len = at.len();
    if len < 2 {
        return at;
    }
    for _ in 0..2000 {
        let mut moved = false;
        for n in 0..if around { len } else { len - 1 } {
            let next = (n + 1) % len;
            let turn = if next == 0 { 1.0 } else { 0.0 };
            let lacks = f64::midpoint(widths[n], widths[next]) - (at[next] + turn - at[n]);
            if lacks > 1e-6 {
                at[n] -= lacks / 2.0;
                at[next] += lacks / 2.0;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    at
}

/// Returns text that can stand in a page, between tags or as an attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_unseen(c) => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// Control characters, and those that turn the direction of the text around them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Returns a number whose thousands are set apart by the style sheet: the text stays plain digits.
#[must_use]
pub fn digits(number: impl Display) -> String {
    let plain = number.to_string();
    let mut out = String::new();
    for (n, digit) in plain.chars().enumerate() {
        if n > 0 && (plain.len() - n).is_multiple_of(3) {
            out.push_str("<i></i>");
        }
        out.push(digit);
    }
    out
}

/// Returns a quantity of bytes in the unit that suits it.
#[must_use]
pub fn quantity(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// Returns a time in seconds with two decimals.
#[must_use]
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Returns `1 copy`, `2 copies`.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", digits(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance() {
        let places = spread(&[0.1, 0.1, 0.1, 0.9], &[0.2; 4], true);
        for (n, place) in places.iter().enumerate() {
            let next = places.get(n + 1).copied().unwrap_or(places[0] + 1.0);
            assert!(next - place > 0.199, "{places:?}");
        }
        assert_eq!(spread(&[0.1, 0.5], &[0.2; 2], false), [0.1, 0.5]);
    }

    #[test]
    fn names_cannot_become_tags() {
        assert_eq!(escape("<script>\"'&\u{202E}"), "&lt;script&gt;&quot;&#39;&amp;\u{FFFD}");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(digits(1_234_567), "1<i></i>234<i></i>567");
        assert_eq!(digits(12), "12");
    }
}
