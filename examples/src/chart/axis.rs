//! Axes: which values have a place, and where the ticks are.

/// An axis of a chart.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it counts, with the unit.
    pub label: String,
    /// How values are placed.
    pub scale: Scale,
}

/// How values are placed on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly; ticks at multiples of 1, 2 or 5.
    Linear,
    /// Evenly, with ticks at whole numbers only.
    Whole,
    /// Hundredths, from 0 to 100.
    Percent,
    /// By powers of ten; ticks at 1, 2 and 5 times a power where there is room.
    Log10,
    /// By powers of two.
    Log2,
}

/// The part of an axis that a chart shows, in places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range<'a> {
    axis: &'a Axis,
    low: f64,
    high: f64,
}

/// An axis on the canvas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) range: Range<'a>,
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Axis {
    /// Returns an axis.
    #[must_use]
    pub fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self { label: label.into(), scale }
    }
}

impl Scale {
    /// Returns the place of a value, or `None` if it has none.
    #[must_use]
    pub fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear | Self::Whole | Self::Percent => value,
            Self::Log10 => value.log10(),
            Self::Log2 => value.log2(),
        };
        place.is_finite().then_some(place)
    }
}

impl<'a> Range<'a> {
    /// Returns the range that shows all values, or `None` if no value has a place.
    pub(super) fn around(axis: &'a Axis, values: impl Iterator<Item = f64>) -> Option<Self> {
        let places: Vec<f64> = values.filter_map(|value| axis.scale.place(value)).collect();
        let low = places.iter().copied().reduce(f64::min)?;
        let high = places.iter().copied().reduce(f64::max)?;
        let (low, high) = match axis.scale {
            Scale::Percent => (0.0, 100.0),
            Scale::Log10 => (low.floor(), high.ceil().max(low.floor() + 1.0)),
            _ if high - low < 1e-9 => (low - 1.0, high + 1.0), // one value stands in the middle
            _ => (low, high),
        };
        Some(Self { axis, low, high })
    }

    /// Returns the values that have a tick, with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match self.axis.scale {
            Scale::Percent => {
                (0..=5).map(|n| (f64::from(n * 20), format!("{} %", n * 20))).collect()
            }
            Scale::Linear => self.even(nice((self.high - self.low) / 7.0)),
            Scale::Whole => self.even(nice((self.high - self.low) / 10.0).max(1.0)),
            Scale::Log10 => self.decades(),
            Scale::Log2 => {
                let step = ((self.high - self.low) / 10.0).ceil().max(1.0);
                let mut at = self.low.ceil();
                let mut ticks = vec![];
                while at <= self.high + 1e-9 {
                    ticks.push((at.exp2(), label(at.exp2())));
                    at += step;
                }
                ticks
            }
        }
    }

    fn even(&self, step: f64) -> Vec<(f64, String)> {
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|n| n as f64 * step).map(|value| (value, label(value))).collect()
    }

    fn decades(&self) -> Vec<(f64, String)> {
        let low = self.low as i32;
        let high = self.high as i32;
        let step = (high - low + 9) / 10;
        let between: &[f64] = if high - low <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let all = (low..=high).step_by(step.max(1) as usize);
        let ticks = all.flat_map(|power| between.iter().map(move |n| n * 10_f64.powi(power)));
        let top = 10_f64.powi(high) * (1.0 + 1e-9);
        ticks.filter(|value| *value <= top).map(|value| (value, label(value))).collect()
    }
}

impl Placed<'_> {
    /// Returns where a value is on the canvas, or `None` if it has no place.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        let Range { axis, low, high } = self.range;
        let part = (axis.scale.place(value)? - low) / (high - low);
        (-1e-9..=1.0 + 1e-9).contains(&part).then_some(self.from + part * (self.to - self.from))
    }
}

/// Returns the least of 1, 2 and 5 times a power of ten that is not below `span`.
fn nice(span: f64) -> f64 {
    let power = 10_f64.powf(span.log10().floor());
    let candidates = [1.0, 2.0, 5.0, 10.0].map(|n| n * power);
    candidates.into_iter().find(|step| *step >= span * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

fn label(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, values: &[f64]) -> Vec<String> {
        let axis = Axis::new("", scale);
        let range = Range::around(&axis, values.iter().copied()).unwrap();
        range.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_at_multiples_of_one_two_and_five() {
        assert_eq!(
            labels(Scale::Linear, &[0.0, 0.61]),
            ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]
        );
        assert_eq!(labels(Scale::Linear, &[3.0, 97.0]), ["20", "40", "60", "80"]);
        assert_eq!(labels(Scale::Whole, &[0.0, 4.0]), ["0", "1", "2", "3", "4"]);
        assert_eq!(
            labels(Scale::Whole, &[0.0, 45.0]),
            ["0", "5", "10", "15", "20", "25", "30", "35", "40", "45"]
        );
        assert_eq!(labels(Scale::Log10, &[3.0, 70.0]), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(
            labels(Scale::Log10, &[1e-6, 1.0]),
            ["1e-6", "1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(labels(Scale::Log2, &[64.0, 512.0]), ["64", "128", "256", "512"]);
    }

    #[test]
    fn one_value_stands_in_the_middle() {
        let axis = Axis::new("", Scale::Log2);
        let range = Range::around(&axis, [1024.0].into_iter()).unwrap();
        let placed = Placed { range, from: 0.0, to: 10.0 };
        assert_eq!(placed.at(1024.0), Some(5.0));
        assert_eq!(placed.at(0.0), None);
    }
}
