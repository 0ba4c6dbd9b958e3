//! Two levels of repetition: builds, and trials of each build. Which of them makes figures differ, and so which of them
//! has to be repeated (Kalibera and Jones).

use crate::stats::Interval;
use crate::stats::estimate::{half_width, mean_and_sd};

/// What builds and trials contribute to the scatter of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Builds.
    pub builds: usize,
    /// Trials of each.
    pub trials: usize,
    /// Mean of all trials.
    pub mean: f64,
    /// Variance between the trials of a build.
    pub trial_variance: f64,
    /// Variance between builds beyond what their trials explain; 0 where nothing is left.
    pub build_variance: f64,
    /// Interval of the mean, from the scatter of the builds' means: n is the number of builds.
    pub interval: Interval,
}

/// Takes the scatter apart; each inner slice holds one build's trials, on logarithms where these are used elsewhere.
///
/// None without two builds of two trials each, with builds of different numbers of trials, or with a value that is not
/// finite.
pub fn levels(builds: &[Vec<f64>], confidence: f64) -> Option<Levels> {
    let trials = builds.first()?.len();
    let balanced = builds.iter().all(|build| build.len() == trials);
    let finite = builds.iter().flatten().all(|x| x.is_finite());
    if builds.len() < 2 || trials < 2 || !balanced || !finite {
        return None;
    }
    let (means, variances): (Vec<f64>, Vec<f64>) =
        builds.iter().map(|build| mean_and_sd(build)).map(|(mean, sd)| (mean, sd * sd)).unzip();
    let (mean, sd) = mean_and_sd(&means);
    let (trial_variance, _) = mean_and_sd(&variances);
    let half = half_width(sd, builds.len(), confidence);
    Some(Levels {
        builds: builds.len(),
        trials,
        mean,
        trial_variance,
        // The means of builds scatter by their trials too: only the rest is the builds' own.
        build_variance: (sd * sd - trial_variance / trials as f64).max(0.0),
        interval: Interval { low: mean - half, high: mean + half },
    })
}

impl Levels {
    /// The builds' share of the variance of a single trial, 0 to 1: whether building again matters. 0 without scatter.
    pub fn build_share(&self) -> f64 {
        let all = self.build_variance + self.trial_variance;
        if all > 0.0 { self.build_variance / all } else { 0.0 }
    }

    /// Trials of each build that buy most for the time, if a build costs so many trials: `sqrt(cost * trial variance /
    /// build variance)`, at least one. None where builds do not differ: then one build with all the trials.
    pub fn trials_worth(&self, build_cost_in_trials: f64) -> Option<u32> {
        let worth =
            (build_cost_in_trials * self.trial_variance / self.build_variance).sqrt().ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, and is not reached by what is not a number"
        )]
        (self.build_variance > 0.0 && worth >= 0.0).then(|| (worth as u32).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-4, "{got} is not {want}");
    }

    #[test]
    fn a_table_that_was_taken_apart_by_hand() {
        // Means 2, 5, 8 (variance 9); variances 1, 1, 4 (mean 2); builds' own 9 - 2/3.
        let l = levels(&[vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0], vec![6.0, 8.0, 10.0]], 0.95)
            .expect("three builds of three");
        assert_eq!((l.builds, l.trials), (3, 3));
        near(l.mean, 5.0);
        near(l.trial_variance, 2.0);
        near(l.build_variance, 8.333_333);
        near(l.build_share(), 0.806_452);
        // 4.302653 * 3 / sqrt(3) = 7.452413.
        near(l.interval.low, -2.452_413);
        near(l.interval.high, 12.452_413);
        // sqrt(100 * 2 / 8.3333) = 4.899.
        assert_eq!(l.trials_worth(100.0), Some(5));
        assert_eq!(l.trials_worth(0.0), Some(1));
        assert_eq!(l.trials_worth(f64::NAN), None);
    }

    #[test]
    fn builds_that_are_alike_have_no_share() {
        let l = levels(&[vec![1.0, 3.0], vec![3.0, 1.0]], 0.95).expect("two builds of two");
        near(l.build_variance, 0.0);
        near(l.build_share(), 0.0);
        assert_eq!(l.trials_worth(100.0), None);
        let l = levels(&[vec![1.0, 1.0], vec![1.0, 1.0]], 0.95).expect("two builds of two");
        near(l.build_share(), 0.0);
    }

    #[test]
    fn trials_that_are_alike_leave_all_to_the_builds() {
        let l = levels(&[vec![1.0, 1.0], vec![3.0, 3.0]], 0.95).expect("two builds of two");
        near(l.build_share(), 1.0);
        near(l.build_variance, 2.0);
        assert_eq!(l.trials_worth(100.0), Some(1));
    }

    #[test]
    fn uneven_or_single_builds_are_not_taken_apart() {
        let two = vec![1.0, 2.0];
        assert_eq!(levels(&[], 0.95), None);
        assert_eq!(levels(std::slice::from_ref(&two), 0.95), None);
        assert_eq!(levels(&[vec![1.0], vec![2.0]], 0.95), None);
        assert_eq!(levels(&[two.clone(), vec![1.0, 2.0, 3.0]], 0.95), None);
        assert_eq!(levels(&[two, vec![1.0, f64::NAN]], 0.95), None);
    }
}
