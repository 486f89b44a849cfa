//! Whether an expression can ever have a value: it parses, its metrics exist, and so do the labels that it names.

use super::catalog::Catalog;
use promql_parser::label::Matchers;
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector, parse, token};
use std::collections::BTreeSet;

/// Labels of a result.
pub type Labels = BTreeSet<String>;

/// The labels that the results of this expression may carry.
///
/// # Errors
/// What is wrong with it.
pub fn check(expression: &str, catalog: &Catalog) -> Result<Labels, String> {
    let parsed = parse(expression).map_err(|error| format!("{error}: {expression}"))?;
    labels(&parsed, catalog).map_err(|error| format!("{error}: {expression}"))
}

fn labels(expression: &Expr, catalog: &Catalog) -> Result<Labels, String> {
    match expression {
        Expr::VectorSelector(selector) => selected(selector, catalog),
        Expr::MatrixSelector(matrix) => selected(&matrix.vs, catalog),
        Expr::Aggregate(aggregate) => aggregated(aggregate, catalog),
        Expr::Binary(binary) => combined(binary, catalog),
        Expr::Call(call) => called(call, catalog),
        Expr::Paren(inner) => labels(&inner.expr, catalog),
        Expr::Unary(inner) => labels(&inner.expr, catalog),
        Expr::Subquery(inner) => labels(&inner.expr, catalog),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Ok(Labels::new()),
    }
}

fn selected(selector: &VectorSelector, catalog: &Catalog) -> Result<Labels, String> {
    let name = selector.name.as_deref().ok_or("a selector names no metric")?;
    let known = catalog.labels(name).ok_or_else(|| format!("there is no metric {name}"))?;
    let Matchers { matchers, or_matchers } = &selector.matchers;
    for matcher in matchers.iter().chain(or_matchers.iter().flatten()) {
        has(&known, &matcher.name, name)?;
    }
    Ok(known)
}

fn aggregated(aggregate: &AggregateExpr, catalog: &Catalog) -> Result<Labels, String> {
    let inner = labels(&aggregate.expr, catalog)?;
    let (named, by) = match &aggregate.modifier {
        None => return Ok(Labels::new()),
        Some(LabelModifier::Include(by)) => (by, true),
        Some(LabelModifier::Exclude(without)) => (without, false),
    };
    named.labels.iter().try_for_each(|label| has(&inner, label, "what is aggregated"))?;
    let named: Labels = named.labels.iter().cloned().collect();
    Ok(if by { named } else { &inner - &named })
}

fn combined(binary: &BinaryExpr, catalog: &Catalog) -> Result<Labels, String> {
    let (left, right) = (labels(&binary.lhs, catalog)?, labels(&binary.rhs, catalog)?);
    let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
    for label in matching.iter().flat_map(|matching| &matching.labels().labels) {
        has(&left, label, "the left side")?;
        has(&right, label, "the right side")?;
    }
    let number = |side: &Expr| matches!(side, Expr::NumberLiteral(_));
    Ok(match &matching {
        _ if binary.op.id() == token::T_LOR => &left | &right,
        _ if number(&binary.lhs) => right,
        Some(LabelModifier::Include(on)) => on.labels.iter().cloned().collect(),
        _ => left,
    })
}

fn called(call: &Call, catalog: &Catalog) -> Result<Labels, String> {
    let arguments: Vec<Labels> =
        call.args.args.iter().map(|argument| labels(argument, catalog)).collect::<Result<_, _>>()?;
    let mut all: Labels = arguments.into_iter().flatten().collect();
    if call.func.name == "histogram_quantile" {
        has(&all, "le", "the histogram")?;
        all.remove("le");
    }
    Ok(all)
}

fn has(known: &Labels, label: &str, of: &str) -> Result<(), String> {
    if known.contains(label) { Ok(()) } else { Err(format!("{of} has no label {label}, only {known:?}")) }
}

#[test]
fn what_is_misspelt_is_named() {
    let mut catalog = Catalog::new();
    catalog.add("requests_total", ["model"]);
    catalog.add("seconds_bucket", ["model", "le"]);
    for (expression, wrong) in [
        ("sum(rate(request_total[5m]))", "there is no metric request_total"),
        ("requests_total{modell=\"a\"}", "requests_total has no label modell"),
        ("sum by (status) (requests_total)", "what is aggregated has no label status"),
        ("sum by (model) (sum(requests_total))", "what is aggregated has no label model"),
        ("requests_total / on (le) seconds_bucket", "the left side has no label le"),
        ("histogram_quantile(0.9, sum by (model) (rate(seconds_bucket[5m])))", "the histogram has no label le"),
        ("sum(rate(requests_total[5m])", "unclosed"),
        ("rate(requests_total)", "expected type"),
        ("{model=\"a\"}", "names no metric"),
    ] {
        let error = check(expression, &catalog).expect_err(expression);
        assert!(error.contains(wrong), "{error}");
    }
}

#[test]
fn results_have_the_labels_that_are_left() {
    let mut catalog = Catalog::new();
    catalog.add("seconds_bucket", ["model", "le"]);
    for (expression, left) in [
        ("histogram_quantile(0.9, sum by (model, le) (rate(seconds_bucket[5m])))", "model"),
        ("1 - sum by (model) (seconds_bucket)", "model"),
        ("sum by (le) (seconds_bucket) or sum by (model) (seconds_bucket)", "le model"),
        ("sum by (job, model) (seconds_bucket) / on (job) sum by (job) (up)", "job"),
        ("sum(seconds_bucket) or vector(0)", ""),
    ] {
        let found = check(expression, &catalog).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), left, "{expression}");
    }
}
