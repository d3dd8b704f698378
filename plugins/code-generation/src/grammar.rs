//! Functions over a list, composed of steps:
//!
//! ```text
//! select (up to two conditions)  →  change (square, length, a field, …)  →  reduce (sum, largest, sorted, …)
//! ```
//!
//! Each step knows its words, its Python and its meaning. `"Return the sum of the squares of the ages that are
//! even."` is `return sum(x * x for x in ages if x % 2 == 0)`, and [`Function::call`] says what it gives.

mod change;
mod condition;
mod reduce;
mod source;

#[cfg(test)]
mod tests;

use luthier_plugin::Rng;

use crate::Value;

pub use change::Change;
pub use condition::{Condition, Junction, Test};
pub use reduce::Reduce;
pub use source::{Field, Kind, Source};

/// One function: what it reads, which items it takes, what it makes of each, and of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The list that it is given.
    pub source: Source,
    /// Which items count; all if there is none.
    pub conditions: Vec<Condition>,
    /// How two conditions are joined.
    pub junction: Junction,
    /// What each becomes.
    pub change: Change,
    /// What all become.
    pub reduce: Reduce,
}

impl Function {
    /// Draws one. Not every draw is a sensible function: `None` then.
    pub fn draw(rng: &mut Rng) -> Option<Function> {
        let source = Source::draw(rng);
        let reduce = Reduce::draw(rng, &source);
        let n_conditions = match reduce {
            Reduce::Count | Reduce::Any | Reduce::All => 1 + usize::from(rng.chance(0.35)),
            _ => [0, 1, 1, 1, 2][rng.below(5)],
        };
        let conditions: Vec<Condition> = (0..n_conditions).map(|_| Condition::draw(rng, &source)).collect();
        let change = Change::draw(rng, &source, &reduce);
        let junction = if rng.chance(0.75) { Junction::And } else { Junction::Or };
        let function = Function { source, conditions, junction, change, reduce };
        function.is_sensible().then_some(function)
    }

    fn is_sensible(&self) -> bool {
        let contradicts = match self.conditions.as_slice() {
            [one, other] => one.is_about_the_same_as(other),
            _ => false,
        };
        let is_idle = self.conditions.is_empty() && self.change == Change::Itself && self.reduce == Reduce::List;
        !contradicts && !is_idle && self.reduce.takes(&self.source, &self.change, self.conditions.len())
    }

    /// How many steps are not the plainest.
    pub fn n_steps(&self) -> usize {
        self.conditions.len() + usize::from(self.change != Change::Itself) + usize::from(self.reduce != Reduce::List)
    }

    /// `count_ages`
    pub fn name(&self) -> String {
        format!("{}_{}", self.reduce.verb(), self.source.plural)
    }

    /// `def count_ages(ages):` and its docstring.
    pub fn prompt(&self) -> String {
        format!("def {}({}):\n    \"\"\"{}\"\"\"\n", self.name(), self.source.plural, self.sentence())
    }

    /// The docstring's sentence.
    pub fn sentence(&self) -> String {
        self.reduce.sentence(self)
    }

    /// Lines of the body, not indented.
    pub fn body(&self) -> Vec<String> {
        self.reduce.body(self)
    }

    /// The whole function.
    pub fn source_code(&self) -> String {
        let body: String = self.body().iter().map(|line| format!("    {line}\n")).collect();
        self.prompt() + &body
    }

    /// What it gives for a list.
    pub fn call(&self, items: &[Value]) -> Value {
        self.reduce.evaluate(self, items)
    }

    /// Literals of the function: inputs close to them tell it from its neighbors.
    pub fn literals(&self) -> Vec<Value> {
        let mut literals: Vec<Value> = self.conditions.iter().flat_map(Condition::literals).collect();
        literals.extend(self.change.literals());
        literals
    }

    /// Functions that a careless reader may take it for: one step is another, or missing.
    pub fn mistaken(&self) -> Vec<Function> {
        let asks = matches!(self.reduce, Reduce::Any | Reduce::All);
        let mut found = Vec::new();
        for (i, condition) in self.conditions.iter().enumerate() {
            let with = |conditions: Vec<Condition>| Function { conditions, ..self.clone() };
            for other in condition.mistaken() {
                let mut conditions = self.conditions.clone();
                conditions[i] = other;
                found.push(with(conditions));
            }
            if !asks {
                let others = self.conditions.iter().enumerate().filter(|(at, _)| *at != i);
                found.push(with(others.map(|(_, condition)| condition.clone()).collect()));
            }
        }
        if self.conditions.len() > 1 && !asks {
            let junction = if self.junction == Junction::And { Junction::Or } else { Junction::And };
            found.push(Function { junction, ..self.clone() });
        }
        found.extend(self.change.mistaken(&self.source).into_iter().map(|change| Function { change, ..self.clone() }));
        found.extend(self.reduce.mistaken().into_iter().map(|reduce| Function { reduce, ..self.clone() }));
        found.retain(|other| other.reduce.takes(&other.source, &other.change, other.conditions.len().max(1)));
        found
    }

    /// `the squares of the ages that are even`
    fn things(&self) -> String {
        format!("{}{}", self.change.words(&self.source), self.selection())
    }

    /// ` that are even`; empty without conditions.
    fn selection(&self) -> String {
        condition::words(&self.conditions, self.junction, &self.source)
    }

    /// `x * x for x in ages if x % 2 == 0`
    fn comprehension(&self) -> String {
        self.comprehension_of(&self.change.python(&self.source))
    }

    fn comprehension_of(&self, value: &str) -> String {
        let (x, plural) = (self.source.variable(), self.source.plural);
        let test = condition::python(&self.conditions, self.junction, &self.source);
        if test.is_empty() {
            format!("{value} for {x} in {plural}")
        } else {
            format!("{value} for {x} in {plural} if {test}")
        }
    }

    fn takes(&self, item: &Value) -> bool {
        let mut held = self.conditions.iter().map(|condition| condition.holds(item));
        match self.junction {
            Junction::And => held.all(|holds| holds),
            Junction::Or => self.conditions.is_empty() || held.any(|holds| holds),
        }
    }

    fn selected<'a>(&'a self, items: &'a [Value]) -> impl Iterator<Item = &'a Value> {
        items.iter().filter(|item| self.takes(item))
    }
}
