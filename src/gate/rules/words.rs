//! What is wrong with a document, in words: the compiler's finding, and what to do.
//!
//! Only the text of a finding is taken, never the report around it: drawing the report panics on text that is not ASCII.

use apollo_compiler::{diagnostic::ToCliReport, validation::DiagnosticList};

use super::{super::Refusal, place, text::IN_PARTS};

/// The most characters of a finding that are told: names of a client's are up to 256.
const LONGEST: usize = 300;

/// Findings about values, which `values` names at their paths.
const OF_VALUES: [&str; 6] = [
    "UnsupportedValueType",
    "UndefinedEnumValue",
    "UndefinedInputValue",
    "RequiredField",
    "IntCoercionError",
    "FloatCoercionError",
];

/// What to do about a finding, by the compiler's name for it.
fn advice(name: &str) -> &'static str {
    match name {
        "UndefinedField" => "ask for a field that the type has; `clinic schema` prints all",
        "UndefinedArgument" => "take it out, or use an argument that the field has",
        "UniqueArgument" | "UniqueVariable" | "UniqueDirective" => "send it once",
        "RequiredArgument" | "RequiredField" => "send it",
        "UndefinedDefinition"
        | "UndefinedTypeInNamedFragmentTypeCondition"
        | "UndefinedTypeInInlineFragmentTypeCondition" => "use a type of the schema",
        "UndefinedDirective" => "this service knows @include and @skip",
        "UnsupportedLocation" => "take it out there",
        "UndefinedVariable" => "declare it in the operation",
        "UnusedVariable" => "use it, or take its declaration out",
        "UndefinedFragment" => "define it, or take the spread out",
        "UnusedFragment" => "spread it, or take it out",
        "RecursiveFragmentDefinition" => "fragments may not lead back to themselves",
        "UndefinedEnumValue" => "use a word of the list",
        "UndefinedInputValue" => "take it out",
        "VariableInputType" => "declare it with a scalar, an enum or an input type",
        "DisallowedVariableUsage" => "declare the variable with the type that is needed there",
        "UnsupportedValueType" | "IntCoercionError" | "FloatCoercionError" => "send a value of that type",
        "MissingSubselection" => "say which it shall give, in braces",
        "SubselectionOnScalarType" | "SubselectionOnEnumType" => "take the braces out: it has no fields",
        "InvalidFragmentTarget" => "use an object, an interface or a union",
        "InvalidFragmentSpread" => "no record can be both: take it out",
        "ConflictingFieldType" | "ConflictingFieldName" | "ConflictingFieldArgument" => "give one of them an alias",
        "OperationNameCollision" | "FragmentNameCollision" => "give one of them another name",
        "AmbiguousAnonymousOperation" => "name each operation",
        "TypeSystemDefinition" => "send operations and fragments only",
        "UndefinedRootOperation" => "this service has queries and mutations",
        _ => "see the GraphQL specification, under Validation",
    }
}

/// The finding that a field says nothing of what it has.
const LACKS: &str = "MissingSubselection";

/// Whether something else was found between two places.
fn holds_another(findings: &DiagnosticList, from: usize, to: usize) -> bool {
    let others = findings.iter().filter(|finding| finding.error.unstable_error_name() != Some(LACKS));
    others.filter_map(|finding| finding.error.location()).any(|span| (from..to).contains(&span.offset()))
}

fn shortened(text: String) -> String {
    let text = text.replace('\n', " ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The refusal of a text that the compiler's parser does not take.
pub fn syntax(text: &str, findings: &DiagnosticList) -> Refusal {
    let first = findings.iter().next();
    let at = first.as_ref().and_then(|it| it.error.location()).map(|span| place(text, span.offset()));
    let reason = first.map(|it| it.error.to_string()).unwrap_or_default();
    Refusal::syntax(format!("the query is not GraphQL: {}", shortened(reason)), at)
}

/// Each finding as a refusal, but for what is told better elsewhere: variables in wrong places, and wrong literals, where
/// such were found.
pub fn told<'a>(
    text: &'a str,
    findings: &'a DiagnosticList,
    misplaced: bool,
    faulty: bool,
) -> impl Iterator<Item = Refusal> + 'a {
    let mut conflict_at = None;
    findings.iter().filter_map(move |finding| {
        let name = finding.error.unstable_error_name().unwrap_or_default();
        let message = finding.error.to_string();
        let span = finding.error.location();
        let at = span.map(|span| span.offset());
        let of_variable = at.and_then(|at| text.get(at..)).is_some_and(|rest| rest.starts_with('$'));
        let told_already = (faulty && OF_VALUES.contains(&name) && !of_variable)
            || (misplaced && of_variable && OF_VALUES.contains(&name))
            || (misplaced && name == "DisallowedVariableUsage")
            || (name == "UndefinedDirective" && IN_PARTS.iter().any(|part| message.contains(&format!("`@{part}`"))))
            // What a field lacks is what is unknown within it.
            || (name == LACKS && span.is_some_and(|span| holds_another(findings, span.offset(), span.end_offset())))
            // Two fields of one name may differ in several ways.
            || (name.starts_with("Conflicting") && conflict_at == at);
        if told_already {
            return None;
        }
        if name.starts_with("Conflicting") {
            conflict_at = at;
        }
        let message = match at.and_then(|at| text.get(at..)).filter(|_| name == LACKS) {
            Some(field) => {
                let end = field.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric());
                format!("`{}` has fields: {}", field.get(..end.unwrap_or(0)).unwrap_or_default(), advice(name))
            }
            None => format!("{}: {}", shortened(message), advice(name)),
        };
        Some(Refusal::invalid_at(message, place(text, at.unwrap_or_default())))
    })
}
