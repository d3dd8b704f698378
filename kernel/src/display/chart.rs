//! The loss curve: Vega-Lite for notebooks that draw it, PNG for static pages, a sparkline as text.

use serde_json::{Value, json};

use super::{
    MimeBundle, number,
    png::{Canvas, Color},
};

/// Points beyond this are thinned: a notebook keeps every point it is sent.
const MAX_POINTS: usize = 400;

const WIDTH: usize = 640;
const HEIGHT: usize = 280;
const LEFT: usize = 58;
const RIGHT: usize = 14;
const TOP: usize = 14;
const BOTTOM: usize = 36;

/// Mid-gray and blue carry enough contrast on white and on dark pages alike; the picture itself has a
/// white ground, because a transparent one would take its contrast from the page.
const GROUND: Color = [255, 255, 255];
const GRID: Color = [228, 228, 232];
const INK: Color = [82, 82, 91];
const LINE: Color = [37, 99, 235];
const FAINT_LINE: Color = [176, 199, 246];
const EVALUATION_LINE: Color = [217, 119, 6];

/// The loss by optimizer step and, if there were any, on evaluation data, in all forms.
pub fn loss(losses: &[(u64, f64)], evaluations: &[(u64, f64)]) -> MimeBundle {
    let finite = |points: &[(u64, f64)]| -> Vec<(u64, f64)> {
        points.iter().copied().filter(|(_, loss)| loss.is_finite()).collect()
    };
    let (points, evaluations) = (thin(&finite(losses)), thin(&finite(evaluations)));
    let smooth = smoothed(&points);
    let values: Vec<f64> = points.iter().map(|(_, loss)| *loss).collect();
    let text = match (points.first(), points.last()) {
        (Some(first), Some(last)) => format!(
            "loss  {} {} {}  (steps {} to {})",
            number::loss(first.1),
            sparkline(&values, 50),
            number::loss(last.1),
            first.0,
            last.0
        ),
        _ => "loss  (no finite value yet)".into(),
    };
    let text = match (evaluations.first(), evaluations.last()) {
        (Some(first), Some(last)) => {
            format!("{text}  evaluation {} → {}", number::loss(first.1), number::loss(last.1))
        }
        _ => text,
    };
    MimeBundle::text(text).vega_lite(vega_lite(&points, &smooth, &evaluations)).png(&picture(
        &points,
        &smooth,
        &evaluations,
    ))
}

/// Every k-th point, and the last one.
fn thin(losses: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let stride = losses.len().div_ceil(MAX_POINTS).max(1);
    let last = losses.len().saturating_sub(1);
    losses.iter().enumerate().filter(|(at, _)| at % stride == 0 || *at == last).map(|(_, point)| *point).collect()
}

/// Exponential moving average, corrected for its start as in Adam; a tenth of the curve is its memory.
fn smoothed(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let decay = 1.0 - 1.0 / (points.len() as f64 / 10.0).max(1.0);
    let (mut mean, mut weight) = (0.0, 0.0);
    points
        .iter()
        .map(|&(step, loss)| {
            mean = decay * mean + (1.0 - decay) * loss;
            weight = decay * weight + (1.0 - decay);
            (step, mean / weight)
        })
        .collect()
}

/// Eight heights of blocks, at most `width` of them; each is the mean of its stretch.
pub fn sparkline(values: &[f64], width: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let n = values.len().min(width);
    let means: Vec<f64> = (0..n)
        .map(|at| {
            let (from, to) = (at * values.len() / n, (at + 1) * values.len() / n);
            values[from..to].iter().sum::<f64>() / (to - from) as f64
        })
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let span = means.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    let level = |mean: f64| if span > 0.0 { ((mean - low) / span * 7.0).round() as usize } else { 0 };
    means.into_iter().filter_map(|mean| BLOCKS.get(level(mean))).collect()
}

fn vega_lite(points: &[(u64, f64)], smooth: &[(u64, f64)], evaluations: &[(u64, f64)]) -> Value {
    let values: Vec<Value> = points
        .iter()
        .zip(smooth)
        .map(|(&(step, loss), &(_, mean))| json!({"step": step, "loss": round(loss), "mean": round(mean)}))
        .collect();
    let y = |field: &str| json!({"field": field, "type": "quantitative", "title": "loss", "scale": {"zero": false}});
    let x = json!({"field": "step", "type": "quantitative", "title": "step", "axis": {"tickMinStep": 1}});
    let mut layers = vec![
        json!({"mark": {"type": "line", "opacity": 0.35, "color": "#2563eb"}, "encoding": {"x": x, "y": y("loss")}}),
        json!({"mark": {"type": "line", "color": "#2563eb", "tooltip": true}, "encoding": {"x": x, "y": y("mean")}}),
    ];
    if !evaluations.is_empty() {
        let point = |&(step, loss): &(u64, f64)| json!({"step": step, "evaluation": round(loss)});
        let values: Vec<Value> = evaluations.iter().map(point).collect();
        let mark = json!({"type": "line", "color": "#d97706", "point": true, "tooltip": true});
        layers.push(json!({"data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y("evaluation")}}));
    }
    json!({
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 560,
        "height": 220,
        "data": {"values": values},
        "layer": layers,
    })
}

/// Four significant digits are more than a chart shows, and half of what JSON would write.
fn round(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}

fn picture(points: &[(u64, f64)], smooth: &[(u64, f64)], evaluations: &[(u64, f64)]) -> Vec<u8> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, GROUND);
    let frame = Frame::around(points, evaluations);
    for tick in ticks(frame.low, frame.high) {
        let y = frame.y(tick);
        canvas.line((LEFT as f64, y), ((WIDTH - RIGHT) as f64, y), GRID, 1.0);
        canvas.text_right(LEFT - 6, y as usize, &label(tick), INK);
    }
    for tick in ticks(frame.first, frame.last) {
        canvas.text_center(frame.x(tick) as usize, HEIGHT - BOTTOM + 14, &label(tick), INK);
    }
    canvas.text_center((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 9, "step", INK);
    canvas.text_right(LEFT - 6, TOP - 4, "loss", INK);
    for (curve, color, width) in [(points, FAINT_LINE, 1.0), (smooth, LINE, 2.0), (evaluations, EVALUATION_LINE, 2.0)] {
        for pair in curve.windows(2) {
            let [(from, a), (to, b)] = pair else { continue };
            canvas.line((frame.x(*from as f64), frame.y(*a)), (frame.x(*to as f64), frame.y(*b)), color, width);
        }
    }
    canvas.to_png()
}

/// Maps steps and losses to pixels.
struct Frame {
    first: f64,
    last: f64,
    low: f64,
    high: f64,
}

impl Frame {
    fn around(points: &[(u64, f64)], evaluations: &[(u64, f64)]) -> Self {
        let both = || points.iter().chain(evaluations);
        let low = both().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
        let high = both().map(|(_, loss)| *loss).fold(f64::NEG_INFINITY, f64::max);
        // No points at all, or a flat line, would leave nothing to divide by.
        let (low, high) = match low.is_finite() {
            false => (0.0, 1.0),
            true if high > low => (low, high),
            true => (low - 0.5, high + 0.5),
        };
        let margin = (high - low) * 0.05;
        let first = points.first().map_or(0.0, |(step, _)| *step as f64);
        let last = points.last().map_or(1.0, |(step, _)| *step as f64);
        Frame { first, last: last.max(first + 1.0), low: low - margin, high: high + margin }
    }

    fn x(&self, step: f64) -> f64 {
        let share = (step - self.first) / (self.last - self.first);
        LEFT as f64 + share * (WIDTH - LEFT - RIGHT) as f64
    }

    fn y(&self, loss: f64) -> f64 {
        let share = (loss - self.low) / (self.high - self.low);
        (HEIGHT - BOTTOM) as f64 - share * (HEIGHT - TOP - BOTTOM) as f64
    }
}

/// Round numbers (1, 2 or 5 times a power of ten) inside a range, about five of them.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * magnitude).find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    (first..first + 12).map(|at| at as f64 * step).take_while(|tick| *tick <= high).collect()
}

fn label(tick: f64) -> String {
    let text = format!("{tick:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests;
