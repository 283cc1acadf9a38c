//! Judging: what the rules make of one request, from the first to the last.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::captured::Captured;
use super::condition::Subject;
use super::destination::Unbuildable;
use super::effort::Effort;
use super::fields::Direction;
use super::matcher::Forms;
use super::witness::{Nobody, Standing, Step, Trail, Witness};
use super::{Action, End, Failed, Judgement, MOST_REWRITES, Power, Rule, Rules};
use crate::target::Target;

impl Rules {
    /// What the rules make of a request, from the first to the last. Only a rewrite sees what earlier rewrites made of the
    /// target; the first redirect or answer ends the request, and of later rules only the answer's fields count.
    pub fn judge(&self, subject: &Subject<'_>, power: Power) -> Judgement {
        self.judge_before(&mut Nobody, subject, power)
    }

    /// The same, and what each rule did.
    pub fn retrace(&self, subject: &Subject<'_>, power: Power) -> (Judgement, Vec<Step>) {
        let mut trail = Trail::new(subject);
        let judgement = self.judge_before(&mut trail, subject, power);
        (judgement, trail.steps)
    }

    fn judge_before<W: Witness>(&self, witness: &mut W, subject: &Subject<'_>, power: Power) -> Judgement {
        let mut judging = Judging {
            subject,
            power,
            forms: Forms::new(subject.path),
            effort: Effort::new(),
            judgement: Judgement::default(),
            rewrites: 0,
            rewritten: Vec::new(),
            read: Vec::new(),
        };
        match judging.consider_all(self, witness) {
            Ok(()) => judging.finish(),
            // What cannot be judged keeps of the answer's fields what no matcher has a part in.
            Err(failed) => Judgement { end: Some(End::Failed(failed)), ..self.unjudged() },
        }
    }
}

/// A request on its way through the rules.
struct Judging<'s> {
    subject: &'s Subject<'s>,
    power: Power,
    forms: Forms<'s>,
    effort: Effort,
    judgement: Judgement,
    rewrites: usize,
    /// Each path that a rewrite has made, at most [`MOST_REWRITES`].
    rewritten: Vec<Forms<'static>>,
    /// The fields of the request on which it depended what fitted.
    read: Vec<HeaderName>,
}

impl Judging<'_> {
    /// Considers the rules that may be about the path, or about one that a rewrite makes of it.
    fn consider_all<W: Witness>(&mut self, rules: &Rules, witness: &mut W) -> Result<(), Failed> {
        let mut candidates = rules.index.candidates();
        candidates.add(&self.forms, &self.effort)?;
        while let Some((place, rule)) = candidates.next().and_then(|place| Some((place, rules.list.get(place)?))) {
            let paths = self.rewritten.len();
            self.consider(place, rule, witness).inspect_err(|failed| witness.failed(place, rule, *failed))?;
            if let Some(forms) = self.rewritten.get(paths) {
                candidates.add(forms, &self.effort)?;
            }
        }
        Ok(())
    }

    fn consider<W: Witness>(&mut self, place: usize, rule: &Rule, witness: &mut W) -> Result<(), Failed> {
        let standing = self.standing();
        let going_on = standing == Standing::Whole;
        let counts = rule.changes_answers() || going_on && rule.changes_requests();
        if !counts {
            if W::CURIOUS {
                self.tell_idle(place, rule, witness);
            }
            return Ok(());
        }
        let Some(captured) = self.captures(rule)? else { return Ok(()) };
        witness.fits(place, rule, &captured, standing);
        rule.response.resolve(&captured, Direction::Response, &mut self.judgement.response);
        if let Some(cors) = &rule.cors {
            self.judgement.cors = Some(Arc::clone(cors));
        }
        if going_on {
            rule.request.resolve(&captured, Direction::Request, &mut self.judgement.request);
            self.act(&rule.action, &captured)?;
            witness.acted(&rule.action, &self.judgement);
        }
        Ok(())
    }

    fn standing(&self) -> Standing {
        match (self.power, &self.judgement.end) {
            (Power::AnswersFields, _) => Standing::Overruled,
            (Power::Full, Some(_)) => Standing::Ended,
            (Power::Full, None) => Standing::Whole,
        }
    }

    /// Tells that a rule fits which has nothing to say any more. What the answer depends on is as it was, and what takes too
    /// long to tell is not told.
    fn tell_idle<W: Witness>(&mut self, place: usize, rule: &Rule, witness: &mut W) {
        let read = self.read.len();
        // What serving does not spend is not counted.
        let effort = std::mem::replace(&mut self.effort, Effort::new());
        if let Ok(Some(captured)) = self.captures(rule) {
            witness.fits(place, rule, &captured, self.standing());
        }
        self.effort = effort;
        self.read.truncate(read);
    }

    fn captures(&mut self, rule: &Rule) -> Result<Option<Captured>, Failed> {
        match (&rule.action, self.rewritten.last()) {
            (Action::Rewrite(_), Some(forms)) => {
                let (path, query) = now(&self.judgement, self.subject);
                let subject = Subject { path, query, ..*self.subject };
                Ok(rule.matcher.captures(&subject, forms, &self.effort, &mut self.read)?)
            }
            (Action::Rewrite(_) | Action::GoOn | Action::Redirect(..) | Action::Respond(_), _) => {
                Ok(rule.matcher.captures(self.subject, &self.forms, &self.effort, &mut self.read)?)
            }
        }
    }

    fn act(&mut self, action: &Action, captured: &Captured) -> Result<(), Failed> {
        match action {
            Action::GoOn => {}
            Action::Redirect(to, status) => {
                let location = to.build(captured, self.subject.query)?;
                let location = HeaderValue::try_from(location).map_err(|_| Unbuildable)?;
                self.judgement.end = Some(End::Redirect(*status, location));
            }
            Action::Rewrite(_) if self.rewrites == MOST_REWRITES => return Err(Failed::Endless),
            Action::Rewrite(rewrite) => {
                self.rewrites += 1;
                if let Some(to) = &rewrite.to {
                    let (_, query) = now(&self.judgement, self.subject);
                    let target = normal(&to.build(captured, query)?)?;
                    let path = target.split_once('?').map_or(target.as_str(), |(path, _)| path);
                    self.rewritten.push(Forms::new(path).into_owned());
                    self.judgement.target = Some(target);
                }
                self.judgement.upstream = rewrite.upstream.or(self.judgement.upstream);
            }
            Action::Respond(answer) => self.judgement.end = Some(answer.render(captured)),
        }
        Ok(())
    }

    fn finish(mut self) -> Judgement {
        self.judgement.response.vary(self.read);
        self.judgement
    }
}

/// Path and query as rewrites have left them.
fn now<'j>(judgement: &'j Judgement, subject: &Subject<'j>) -> (&'j str, Option<&'j str>) {
    match judgement.target.as_deref() {
        None => (subject.path, subject.query),
        Some(target) => target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query))),
    }
}

/// A target that a rule has made, in normal form.
fn normal(target: &str) -> Result<String, Unbuildable> {
    let target = Target::parse(target).map_err(|_| Unbuildable)?;
    Ok(target.without_repeated_slashes().unwrap_or_else(|| target.forwarded()))
}
