use serde_json::Value;

use super::{Comparison, JsonPathError, Slice, Step};

/// All that steps lead to from what was found so far.
pub(super) fn walk<'a>(
    steps: &'a [Step],
    mut found: Vec<&'a Value>,
) -> Result<Vec<&'a Value>, JsonPathError> {
    for step in steps {
        found = take(step, &found)?;
    }
    Ok(found)
}

fn take<'a>(step: &'a Step, found: &[&'a Value]) -> Result<Vec<&'a Value>, JsonPathError> {
    let mut next = Vec::new();
    match step {
        Step::Field(name) => next.extend(found.iter().filter_map(|value| value.get(name))),
        Step::Wildcard => found.iter().for_each(|value| next.extend(children(value))),
        Step::Recursive => found.iter().for_each(|value| below(value, &mut next)),
        Step::Slice(slice) => {
            for value in found.iter().filter(|value| !value.is_null()) {
                let list =
                    value.as_array().ok_or_else(|| JsonPathError::new("an index into what is no list"))?;
                slice_of(list, *slice, &mut next)?;
            }
        }
        Step::Union(parts) => {
            for part in parts {
                next.extend(walk(part, found.to_vec())?);
            }
        }
        Step::Filter { left, comparison } => {
            for value in found {
                let list =
                    value.as_array().ok_or_else(|| JsonPathError::new("a filter on what is no list"))?;
                for element in list {
                    if passes(element, left, comparison.as_ref())? {
                        next.push(element);
                    }
                }
            }
        }
        Step::Literal(value) => next.push(value),
    }
    Ok(next)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// The value and all below it, but for what has nothing below it. A document of serde_json is at most 128 deep.
fn below<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
    let children = children(value);
    if !children.is_empty() {
        into.push(value);
        children.into_iter().for_each(|child| below(child, into));
    }
}

fn slice_of<'a>(list: &'a [Value], slice: Slice, into: &mut Vec<&'a Value>) -> Result<(), JsonPathError> {
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let wrap = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    let (from, to, step) = match slice {
        Slice::One(at) => (wrap(at), wrap(at).saturating_add(1), 1),
        Slice::Range { from, to, step } => {
            (wrap(from.unwrap_or(0)), to.map_or(length, wrap), step.unwrap_or(1))
        }
    };
    if from == to && !matches!(slice, Slice::One(_)) {
        return Ok(());
    }
    let outside =
        |at: i64| JsonPathError::new(format!("array index out of bounds: index {at}, length {length}"));
    if from < 0 || from >= length {
        return Err(outside(from));
    }
    if to < 0 || to > length {
        return Err(outside(to - 1));
    }
    if from > to {
        let why = format!("starting index {from} is greater than ending index {to}");
        return Err(JsonPathError::new(why));
    }
    let step = usize::try_from(step).ok().filter(|step| *step > 0);
    let step = step.ok_or_else(|| JsonPathError::new("step must be > 0"))?;
    let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
    into.extend(list[from..to].iter().step_by(step));
    Ok(())
}

fn passes(
    element: &Value,
    left: &[Step],
    comparison: Option<&(Comparison, Vec<Step>)>,
) -> Result<bool, JsonPathError> {
    let Some((comparison, right)) = comparison else {
        return Ok(walk(left, vec![element]).is_ok_and(|found| !found.is_empty()));
    };
    let one = |found: Vec<&Value>| match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).clone())),
        _ => Err(JsonPathError::new("can only compare one element at a time")),
    };
    let (left, right) = (one(walk(left, vec![element])?)?, one(walk(right, vec![element])?)?);
    match left.zip(right) {
        Some((left, right)) => compare(&left, *comparison, &right),
        None => Ok(false),
    }
}

fn compare(left: &Value, comparison: Comparison, right: &Value) -> Result<bool, JsonPathError> {
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.as_f64().unwrap_or(0.0).total_cmp(&right.as_f64().unwrap_or(0.0)),
        },
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => return Err(JsonPathError::new("incompatible types for comparison")),
    };
    Ok(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}
