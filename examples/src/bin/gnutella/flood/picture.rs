//! The table as bars, on a scale of powers of ten.

use core::fmt::Write as _;

use super::Row;

const LEFT: f64 = 230.0;
const DECADE: f64 = 90.0;
const LINE: f64 = 34.0;

pub fn draw(rows: &[Row]) -> String {
    let most = rows.iter().map(Row::messages).fold(10.0, f64::max).log10().ceil();
    let (width, height) = (LEFT + DECADE * most + 90.0, 60.0 + LINE * rows.len() as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"Messages per search\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"20\" font-weight=\"bold\">Messages per search</text>\n"
    );
    for decade in 0..=most as u32 {
        let x = LEFT + DECADE * f64::from(decade);
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"30\" x2=\"{x}\" y2=\"{:.0}\" stroke=\"#ccc\"/>\
             <text x=\"{x}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#666\">{}</text>",
            height - 24.0,
            height - 8.0,
            10_u64.pow(decade)
        );
    }
    for (at, row) in rows.iter().enumerate() {
        let (y, len) = (36.0 + LINE * at as f64, DECADE * row.messages().max(1.0).log10());
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{len:.1}\" height=\"22\" fill=\"#3b6ea5\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{:.0}</text>",
            LEFT - 8.0,
            y + 16.0,
            row.name,
            LEFT + len + 6.0,
            y + 16.0,
            row.messages()
        );
    }
    svg.push_str("</svg>\n");
    svg
}
