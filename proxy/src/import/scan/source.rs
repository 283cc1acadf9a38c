//! Sources: what a file exports, read by a parser and never run.

use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionBody, BindingPattern, Declaration, ExportSpecifier, Expression, FunctionBody, Program, Statement,
    VariableDeclaration,
};
use oxc_parser::Parser;
use oxc_span::SourceType;

use super::super::params::Params;
use super::literal::{self, Literal};
use super::segment::{Segment, is_config};
use crate::config::Param;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Its segment config.
    pub(super) segment: Segment,
    /// What `generateStaticParams` returns, or why that is not known.
    pub(super) static_params: Option<Result<Vec<Params>, &'static str>>,
    /// What the operator should know.
    pub(super) notes: Vec<String>,
    exported: Vec<&'static str>,
    /// Whether it exports what another file exports, whatever that is.
    open: bool,
}

impl Source {
    /// Parses a file; `place` says in which language it is.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, with line and column.
    pub(super) fn parse(text: &str, place: &Path) -> Result<Self, String> {
        if is_nested_too_deeply(text) {
            return Err("brackets are nested too deeply".to_owned());
        }
        let language = SourceType::from_path(place).map_err(|_| "an unknown ending".to_owned())?;
        // Next.js takes JSX in every file of JavaScript.
        let language = if language.is_javascript() { language.with_jsx(true) } else { language };
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, text, language).parse();
        if let Some(error) = parsed.diagnostics.errors().next() {
            let at = error.labels.first().map_or(0, |label| label.offset() as usize);
            return Err(format!("{}: {}", position(text, at), error.message));
        }
        let mut source = Self::default();
        source.program(&parsed.program);
        Ok(source)
    }

    /// Whether it exports what another file exports, whatever that is.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The methods that it exports, in the order in which they are usually named; none where that cannot be known. HEAD goes
    /// without saying where there is GET.
    pub(super) fn methods(&self) -> Option<Vec<&'static str>> {
        if self.open {
            return None;
        }
        let methods = METHODS.into_iter().filter(|method| self.exported.contains(method));
        let methods: Vec<&str> =
            methods.filter(|method| *method != "HEAD" || !self.exported.contains(&"GET")).collect();
        // A handler without methods would refuse everything; more likely it is exported in a way that is not read here.
        (!methods.is_empty()).then_some(methods)
    }

    fn program(&mut self, program: &Program<'_>) {
        for statement in &program.body {
            if let Statement::ExportDeclaration(export) = statement {
                self.declaration(&export.declaration);
            } else if let Statement::ExportNamedDeclaration(export) = statement {
                if export.export_kind.is_value() {
                    self.specifiers(&export.specifiers);
                }
            } else if let Statement::ExportFromDeclaration(export) = statement {
                if export.export_kind.is_value() {
                    self.specifiers(&export.specifiers);
                }
            } else if let Statement::ExportAllDeclaration(export) = statement
                && export.exported.is_none()
                && export.export_kind.is_value()
            {
                self.open = true;
                let from = &export.source.value;
                self.notes.push(format!(
                    "It exports all of '{from}': its methods, and what that says of caching, are not known."
                ));
            }
        }
    }

    fn declaration(&mut self, declaration: &Declaration<'_>) {
        if let Declaration::FunctionDeclaration(function) = declaration {
            if let (Some(name), Some(body)) = (function.name(), &function.body) {
                self.exports(name.as_str());
                if name == STATIC_PARAMS {
                    let list = if function.generator { Err("is a generator") } else { returned(body) };
                    self.static_params = Some(list);
                }
            }
        } else if let Declaration::VariableDeclaration(variables) = declaration
            && !variables.declare
        {
            self.variables(variables);
        }
    }

    fn variables(&mut self, variables: &VariableDeclaration<'_>) {
        for variable in &variables.declarations {
            for name in variable.id.get_binding_identifiers() {
                self.exports(name.name.as_str());
            }
            let BindingPattern::BindingIdentifier(name) = &variable.id else {
                continue;
            };
            if name.name == STATIC_PARAMS {
                self.static_params = Some(variable.init.as_ref().map_or(Err("has no value"), returned_by));
            } else if is_config(&name.name)
                && let Some(value) = &variable.init
            {
                self.config(&name.name, value);
            }
        }
    }

    /// Takes a constant of the segment config.
    fn config(&mut self, name: &str, expression: &Expression<'_>) {
        let reading = match literal::read(expression) {
            Ok(reading) => reading,
            Err(what) => {
                self.notes.push(format!("`{name}` is {what}, which Next.js refuses here; write its value."));
                return;
            }
        };
        if let Some(form) = reading.refused {
            self.notes.push(format!("Next.js refuses to read `{name}` through {form}."));
        }
        // `undefined` says nothing.
        if reading.value == Literal::Nothing {
            return;
        }
        if let Err(expected) = self.segment.set(name, &reading.value) {
            self.notes.push(format!("`{name}` is not {expected}, so Next.js refuses it."));
        }
    }

    fn specifiers(&mut self, specifiers: &[ExportSpecifier<'_>]) {
        for specifier in specifiers.iter().filter(|specifier| specifier.export_kind.is_value()) {
            let name = specifier.exported.name();
            self.exports(&name);
            if name == STATIC_PARAMS {
                self.static_params = Some(Err("stands elsewhere"));
            } else if is_config(&name) {
                self.notes.push(format!("`{name}` must not be re-exported, says Next.js; write its value."));
            }
        }
    }

    fn exports(&mut self, name: &str) {
        if let Some(method) = METHODS.into_iter().find(|method| *method == name) {
            self.exported.push(method);
        }
    }
}

/// What a function returns that is the value of an expression.
fn returned_by(expression: &Expression<'_>) -> Result<Vec<Params>, &'static str> {
    let expression = expression.get_inner_expression();
    if let Expression::ArrowFunctionExpression(arrow) = expression {
        return if let ArrowFunctionBody::FunctionBody(body) = &arrow.body {
            returned(body)
        } else {
            arrow.body.as_expression().map_or(Err("is not a function that can be read"), list)
        };
    }
    if let Expression::FunctionExpression(function) = expression
        && let Some(body) = &function.body
        && !function.generator
    {
        return returned(body);
    }
    Err("is not a function that can be read")
}

/// What a body returns, where it does nothing else.
fn returned(body: &FunctionBody<'_>) -> Result<Vec<Params>, &'static str> {
    if let [Statement::ReturnStatement(statement)] = body.statements.as_slice()
        && let Some(value) = &statement.argument
    {
        return list(value);
    }
    Err("does more than to return a list")
}

/// A list of objects whose values are texts or lists of texts, as Next.js wants them.
fn list(expression: &Expression<'_>) -> Result<Vec<Params>, &'static str> {
    const ELSE: &str = "returns something else than a list of plain objects";
    let Ok(reading) = literal::read(expression) else { return Err(ELSE) };
    let Literal::List(items) = reading.value else { return Err(ELSE) };
    items
        .into_iter()
        .map(|item| {
            let Literal::Object(properties) = item else { return Err(ELSE) };
            properties.into_iter().map(|(name, value)| Ok((name, param(value).ok_or(ELSE)?))).collect()
        })
        .collect()
}

fn param(value: Literal) -> Option<Param> {
    match value {
        Literal::Text(text) => Some(Param::One(text)),
        Literal::List(items) => {
            let texts = items.into_iter().map(|item| match item {
                Literal::Text(text) => Some(text),
                Literal::Flag(_) | Literal::Number(_) | Literal::List(_) | Literal::Object(_) | Literal::Nothing => {
                    None
                }
            });
            Some(Param::Many(texts.collect::<Option<_>>()?))
        }
        Literal::Flag(_) | Literal::Number(_) | Literal::Object(_) | Literal::Nothing => None,
    }
}

/// Line and column of a place in a text, both from 1.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// Whether brackets are nested so deeply that a parser which calls itself might run out of stack. Brackets in texts and
/// comments count too, which no file that people write comes near.
fn is_nested_too_deeply(text: &str) -> bool {
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

const STATIC_PARAMS: &str = "generateStaticParams";

/// What a Route Handler may export (`server/web/http.ts`: `HTTP_METHODS`).
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// How deep brackets may be nested.
const DEEPEST: usize = 500;
