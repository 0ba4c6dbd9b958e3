//! Colours, in both themes: told apart by people who see few, and each at least 3 to 1 against its ground.

use std::fmt::Write as _;

/// Colours before they repeat. Marks differ too, so that no picture depends on colour alone.
pub const SERIES: usize = 8;

/// One theme.
struct Theme {
    ground: &'static str,
    ink: &'static str,
    soft: &'static str,
    grid: &'static str,
    band: &'static str,
    series: [&'static str; SERIES],
}

const LIGHT: Theme = Theme {
    ground: "#ffffff",
    ink: "#1b1f24",
    soft: "#57606a",
    grid: "#dfe3e8",
    band: "#e9eef4",
    series: [
        "#0067a5", "#c2410c", "#007f5f", "#9a3a8f", "#8a6a00", "#3c86c4", "#7a5540", "#5a5f66",
    ],
};

const DARK: Theme = Theme {
    ground: "#14181d",
    ink: "#e8ebee",
    soft: "#a3adb8",
    grid: "#333b45",
    band: "#232b35",
    series: [
        "#5fb3f0", "#ff9a62", "#3ecfa4", "#e69adf", "#e3c24a", "#a9ccff", "#cfae92", "#aab1b9",
    ],
};

/// The style sheet of a picture below `scope` (a selector, like `.plot`): light, and dark on screens where that is
/// preferred. No variables: programs that show slides don't know them.
pub fn style(scope: &str) -> String {
    let mut out = format!(
        "{scope} text{{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}}\
         {scope} .title{{font-size:15px;font-weight:600}}{scope} .strong{{font-weight:600}}\
         {scope} .line{{fill:none;stroke-width:2;stroke-linejoin:round}}\
         {scope} .thin{{fill:none;stroke-width:1.2;stroke-linejoin:round;opacity:.75}}\
         {scope} .faint{{fill:none;stroke-width:1;stroke-linejoin:round;opacity:.32}}\
         {scope} .bar{{fill:none;stroke-width:6;opacity:.8}}{scope} .mark{{stroke-width:1.2}}{scope} .hair{{fill:none;stroke-width:1.5}}\n"
    );
    out += &rules(scope, &LIGHT);
    // Paper is never dark.
    let dark = rules(scope, &DARK);
    writeln!(out, "@media screen and (prefers-color-scheme:dark){{{dark}}}")
        .expect("a String takes text");
    out
}

fn rules(scope: &str, theme: &Theme) -> String {
    let Theme { ground, ink, soft, grid, band, series } = theme;
    let mut out = format!(
        "{scope} .ground{{fill:{ground}}}{scope} text{{fill:{ink}}}{scope} .soft,{scope} .soft text{{fill:{soft}}}\
         {scope} .grid{{stroke:{grid}}}{scope} .axis{{stroke:{soft}}}{scope} .ink{{stroke:{ink}}}\
         {scope} .inked{{fill:{ink}}}{scope} .band{{fill:{band}}}{scope} .rest{{fill:{grid};stroke:{soft}}}\
         {scope} .mark{{stroke:{ground}}}"
    );
    for (i, colour) in series.iter().enumerate() {
        write!(out, "{scope} .l{i}{{stroke:{colour}}}{scope} .f{i}{{fill:{colour}}}")
            .expect("a String takes text");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("hex");
            let share = f64::from(byte) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        (a / b).max(b / a)
    }

    #[test]
    fn every_colour_stands_out_from_its_ground_in_both_themes() {
        for theme in [LIGHT, DARK] {
            for colour in theme.series {
                assert!(contrast(colour, theme.ground) >= 3.0, "{colour} on {}", theme.ground);
            }
            assert!(contrast(theme.ink, theme.ground) >= 12.0);
            assert!(contrast(theme.soft, theme.ground) >= 4.5);
            assert!(contrast(theme.ink, theme.band) >= 7.0);
        }
    }

    #[test]
    fn a_style_sheet_has_both_themes_and_stays_below_its_scope() {
        let sheet = style(".plot");
        assert!(sheet.contains("@media screen and (prefers-color-scheme:dark)"));
        for rule in sheet.split('}').filter(|rule| rule.contains('{')) {
            let selector = rule.rsplit_once('{').map_or(rule, |(before, _)| before);
            let selector = selector.rsplit('{').next().unwrap_or_default().trim();
            assert!(selector.split(',').all(|one| one.starts_with(".plot ")), "{selector}");
        }
    }
}
