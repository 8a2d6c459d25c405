//! Values and the types that take them: of literals in a document, and of variables in a request.

use std::collections::HashSet;

use apollo_compiler::{
    Node, Schema,
    ast::{self, InputValueDefinition, Type},
    schema::{EnumType, ExtendedType, InputObjectType},
};
use async_graphql::{Name, Value};

use crate::error::{Code, Fault, Flaw};
use crate::scalars;

/// The most faults that are told of the values of one field.
pub const MOST_FAULTS: usize = 50;
/// The most words of a list that are told.
const MOST_WORDS: usize = 60;

/// A value as it came.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// In the document.
    Literal(&'a Node<ast::Value>),
    /// Of a variable.
    Sent(&'a Value),
}

/// What a value is, one level of it.
enum Shape<'a> {
    Null,
    Variable(&'a str),
    List(Vec<Given<'a>>),
    Object(Vec<(&'a str, Given<'a>)>),
    Leaf,
}

impl<'a> Given<'a> {
    fn shape(self) -> Shape<'a> {
        match self {
            Self::Literal(value) => match &**value {
                ast::Value::Null => Shape::Null,
                ast::Value::Variable(name) => Shape::Variable(name),
                ast::Value::List(items) => Shape::List(items.iter().map(Self::Literal).collect()),
                ast::Value::Object(fields) => {
                    Shape::Object(fields.iter().map(|(name, value)| (name.as_str(), Self::Literal(value))).collect())
                }
                _ => Shape::Leaf,
            },
            Self::Sent(value) => match value {
                Value::Null => Shape::Null,
                Value::List(items) => Shape::List(items.iter().map(Self::Sent).collect()),
                Value::Object(fields) => {
                    Shape::Object(fields.iter().map(|(name, value)| (name.as_str(), Self::Sent(value))).collect())
                }
                _ => Shape::Leaf,
            },
        }
    }

    fn offset(self) -> usize {
        match self {
            Self::Literal(value) => super::offset(value),
            Self::Sent(_) => 0,
        }
    }

    /// A value that is neither list nor object, as the engine's scalars read it. A literal's word is not a text.
    fn leaf(self) -> Value {
        match self {
            Self::Literal(value) => match &**value {
                ast::Value::Enum(word) => Value::Enum(Name::new(word)),
                ast::Value::String(text) => Value::String(text.clone()),
                ast::Value::Boolean(it) => Value::Boolean(*it),
                ast::Value::Int(number) => number_of(number.as_str()),
                ast::Value::Float(number) => number_of(number.as_str()),
                _ => Value::Null,
            },
            Self::Sent(value) => value.clone(),
        }
    }

    /// The word of a list: bare in a literal, a text in JSON.
    fn word(self) -> Option<String> {
        match (self, self.leaf()) {
            (_, Value::Enum(word)) => Some(word.to_string()),
            (Self::Sent(_), Value::String(word)) => Some(word),
            _ => None,
        }
    }
}

fn number_of(text: &str) -> Value {
    text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}

/// Where a variable stands in an argument.
#[derive(Debug, Clone)]
pub struct Use {
    /// The variable.
    pub name: String,
    /// The path from the arguments down.
    pub path: String,
    /// The type of that place.
    pub wanted: Type,
    /// Whether the place has a value of its own where none is given.
    pub has_default: bool,
    /// Where it stands in the document.
    pub offset: usize,
}

/// Reads values, and collects what is wrong with them.
pub struct Reader<'a> {
    schema: &'a Schema,
    /// Every fault, with its path.
    pub faults: Vec<Fault>,
    /// Every variable that was met.
    pub uses: Vec<Use>,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing.
    pub fn new(schema: &'a Schema) -> Self {
        Self { schema, faults: Vec::new(), uses: Vec::new() }
    }

    fn fault(&mut self, path: &str, flaw: Flaw) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { path: path.to_owned(), flaw });
        }
    }

    /// Reads the value of an argument, or of a field of an input.
    pub fn read_for(&mut self, path: &str, definition: &InputValueDefinition, given: Given<'_>) {
        self.read(path, &definition.ty, definition.default_value.is_some(), given);
    }

    /// Reads the value of a type at a path. The recursion is as deep as the value, which the scan and the parser of JSON
    /// bound.
    pub fn read(&mut self, path: &str, wanted: &Type, has_default: bool, given: Given<'_>) {
        match (given.shape(), wanted) {
            (Shape::Variable(name), _) => {
                let (name, path, wanted, offset) = (name.to_owned(), path.to_owned(), wanted.clone(), given.offset());
                self.uses.push(Use { name, path, wanted, has_default, offset });
            }
            (Shape::Null, _) => {
                if wanted.is_non_null() {
                    self.fault(path, missing(wanted));
                }
            }
            (Shape::List(items), Type::List(inner) | Type::NonNullList(inner)) => {
                for (i, item) in items.into_iter().enumerate() {
                    self.read(&format!("{path}.{i}"), inner, false, item);
                }
            }
            // One value stands for a list of it.
            (_, Type::List(inner) | Type::NonNullList(inner)) => self.read(path, inner, has_default, given),
            (_, Type::Named(name) | Type::NonNullNamed(name)) => match self.schema.types.get(name) {
                Some(ExtendedType::InputObject(input)) => self.input(path, input, given),
                _ if self.faults.len() >= MOST_FAULTS => {}
                Some(ExtendedType::Enum(words)) => {
                    if let Some(flaw) = word_flaw(words, given) {
                        self.fault(path, flaw);
                    }
                }
                Some(ExtendedType::Scalar(_)) => {
                    if let Some(flaw) = scalar_flaw(name, given) {
                        self.fault(path, flaw);
                    }
                }
                // An unknown type, or none of inputs: the document is refused for that.
                _ => {}
            },
        }
    }

    fn input(&mut self, path: &str, input: &InputObjectType, given: Given<'_>) {
        let Shape::Object(fields) = given.shape() else {
            let message = format!("must be an object with the fields of {}", input.name);
            return self.fault(path, Code::WrongType.says(message).with("type", input.name.as_str()));
        };
        let one_of = input.directives.has("oneOf");
        if one_of && fields.len() != 1 {
            let message = format!("has {} fields of {}: send one of them, and only one", fields.len(), input.name);
            self.fault(path, Code::of_count(fields.len()).says(message).with("max", 1));
        }
        let mut met = HashSet::new();
        for (name, value) in fields {
            let at = format!("{path}.{name}");
            match input.fields.get(name) {
                // Its one field must have a value, and a variable there one that can't be null.
                Some(definition) if one_of => self.read(&at, &definition.ty.as_ref().clone().non_null(), false, value),
                Some(definition) => self.read_for(&at, definition, value),
                None => {
                    let message = format!("is no field of {}: take it out", input.name);
                    self.fault(&shortened(at), Code::UnknownField.says(message).with("type", input.name.as_str()));
                }
            }
            met.insert(name);
        }
        for (name, definition) in &input.fields {
            if definition.is_required() && !met.contains(name.as_str()) {
                self.fault(&format!("{path}.{name}"), missing(&definition.ty));
            }
        }
    }
}

fn shortened(path: String) -> String {
    match path.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
        None => path,
    }
}

/// What is needed and is not there, or is null.
pub fn missing(wanted: &Type) -> Flaw {
    let name = wanted.inner_named_type();
    Code::Required.says(format!("is needed: send a value ({name})")).with("type", name.as_str())
}

fn word_flaw(words: &EnumType, given: Given<'_>) -> Option<Flaw> {
    let Some(word) = given.word() else {
        let message = format!("must be a word of {}", words.name);
        return Some(Code::WrongType.says(message).with("type", words.name.as_str()));
    };
    if words.values.contains_key(word.as_str()) {
        return None;
    }
    let allowed: Vec<String> = words.values.keys().take(MOST_WORDS).map(ToString::to_string).collect();
    let told: String = word.chars().take(60).collect();
    let flaw = Code::UnknownValue.says(format!("is {told:?}; it must be one of {}", allowed.join(", ")));
    Some(flaw.with("value", told).with("allowed", allowed))
}

fn scalar_flaw(name: &str, given: Given<'_>) -> Option<Flaw> {
    if matches!(given.shape(), Shape::List(_) | Shape::Object(_)) {
        return (name != "JSON").then(|| wrong_type(name));
    }
    let value = given.leaf();
    let fits = match (name, &value) {
        ("Int", Value::Number(number)) => return int_flaw(number),
        ("Float", Value::Number(_)) | ("String" | "ID", Value::String(_)) | ("Boolean", Value::Boolean(_)) => true,
        ("ID", Value::Number(number)) => number.is_i64(),
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        // A literal that no number type holds: `number_of` left it as text, and a text of digits is right for these.
        _ => return scalars::flaw(name, &value),
    };
    (!fits).then(|| wrong_type(name))
}

fn int_flaw(number: &serde_json::Number) -> Option<Flaw> {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match whole {
        Some(whole) if i32::try_from(whole).is_ok() => None,
        Some(whole) => Some(Flaw::out_of_range(whole, i128::from(i32::MIN), i128::from(i32::MAX), None)),
        None => Some(wrong_type("Int")),
    }
}

fn wrong_type(name: &str) -> Flaw {
    let must = match name {
        "Int" => "a whole number",
        "Float" => "a number",
        "String" => "a text",
        "ID" => "an id, as text",
        "Boolean" => "true or false",
        _ => return scalars::flaw(name, &Value::Null).unwrap_or_else(|| Code::WrongType.says("is of another type")),
    };
    Code::WrongType.says(format!("must be {must}")).with("type", name)
}
