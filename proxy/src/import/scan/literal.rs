//! Literals: values that stand in a source as they are.
//!
//! Next.js reads segment config without running it, and takes less than JavaScript allows
//! (`build/analysis/extract-const-value.ts`): plain literals, templates without expressions, arrays, objects and `satisfies`.
//! What it refuses beyond that and has an obvious value all the same is read here with a remark.

use oxc_ast::ast::{ArrayExpressionElement, Expression, ObjectPropertyKind, UnaryOperator};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Literal>),
    /// An object, in its order.
    Object(Vec<(String, Literal)>),
    /// `null` or `undefined`.
    Nothing,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// The value.
    pub(super) value: Literal,
    /// In which form Next.js refuses to read it.
    pub(super) refused: Option<&'static str>,
}

/// Reads an expression.
///
/// # Errors
///
/// What it is instead of a literal.
pub(super) fn read(expression: &Expression<'_>) -> Result<Reading, &'static str> {
    let mut refused = None;
    let value = literal(expression, &mut refused, 0)?;
    Ok(Reading { value, refused })
}

fn literal(
    expression: &Expression<'_>,
    refused: &mut Option<&'static str>,
    depth: usize,
) -> Result<Literal, &'static str> {
    if depth > DEEPEST {
        return Err("nested too deeply");
    }
    let depth = depth + 1;
    if let Expression::BooleanLiteral(flag) = expression {
        return Ok(Literal::Flag(flag.value));
    }
    if let Expression::NumericLiteral(number) = expression {
        return Ok(Literal::Number(number.value));
    }
    if let Expression::StringLiteral(text) = expression {
        return Ok(Literal::Text(text.value.to_string()));
    }
    if let Expression::NullLiteral(_) = expression {
        return Ok(Literal::Nothing);
    }
    if let Expression::Identifier(name) = expression {
        return if name.name == "undefined" { Ok(Literal::Nothing) } else { Err("a variable") };
    }
    if let Expression::TemplateLiteral(template) = expression {
        let cooked = template.quasis.first().and_then(|part| part.value.cooked.as_ref());
        return match cooked {
            Some(text) if template.expressions.is_empty() => Ok(Literal::Text(text.to_string())),
            Some(_) | None => Err("a template with expressions"),
        };
    }
    if let Expression::TSSatisfiesExpression(inner) = expression {
        return literal(&inner.expression, refused, depth);
    }
    if let Expression::TSAsExpression(inner) = expression {
        *refused = Some("`as`");
        return literal(&inner.expression, refused, depth);
    }
    if let Expression::ParenthesizedExpression(inner) = expression {
        *refused = Some("parentheses");
        return literal(&inner.expression, refused, depth);
    }
    if let Expression::UnaryExpression(unary) = expression
        && unary.operator == UnaryOperator::UnaryNegation
        && let Literal::Number(number) = literal(&unary.argument, refused, depth)?
    {
        *refused = Some("a sign");
        return Ok(Literal::Number(-number));
    }
    if let Expression::BinaryExpression(_) = expression {
        return Err("arithmetic");
    }
    collection(expression, refused, depth)
}

fn collection(
    expression: &Expression<'_>,
    refused: &mut Option<&'static str>,
    depth: usize,
) -> Result<Literal, &'static str> {
    if let Expression::ArrayExpression(array) = expression {
        let items = array.elements.iter().map(|element| {
            if matches!(element, ArrayExpressionElement::SpreadElement(_) | ArrayExpressionElement::Elision(_)) {
                return Err("a list with gaps or `...`");
            }
            literal(element.to_expression(), refused, depth)
        });
        return Ok(Literal::List(items.collect::<Result<_, _>>()?));
    }
    if let Expression::ObjectExpression(object) = expression {
        let properties = object.properties.iter().map(|property| match property {
            ObjectPropertyKind::SpreadProperty(_) => Err("an object with `...`"),
            ObjectPropertyKind::ObjectProperty(property) => {
                if property.computed || property.method {
                    return Err("an object with computed names or methods");
                }
                let name = property.key.static_name().ok_or("an object with computed names")?;
                Ok((name.into_owned(), literal(&property.value, refused, depth)?))
            }
        });
        return Ok(Literal::Object(properties.collect::<Result<_, _>>()?));
    }
    Err("an expression")
}

/// How deep values may be nested.
const DEEPEST: usize = 32;
