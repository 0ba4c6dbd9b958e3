//! One endpoint's statement: prepared and understood at start, then bound, executed and written as JSON.

use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgConnection, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Column as _, Either, Executor as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _,
};
use tokio_postgres::types::Type;
use tokio_postgres::{Row, RowStream};

use super::catalog;
use super::failure::Failure;
use super::json::{Codec, Malformed, write_string};
use super::laps::{Laps, Stage};
use super::literal::Literal;
use super::param::Given;
use super::session::{Field, Recipe, Session};
use super::texts::bind_types;
use super::value::{Kind, Value as Typed};
use crate::plan::{BindPlan, EndpointPlan};
use crate::spec::{AnswerShape, BindStyle};

/// An answer beyond this is a query without LIMIT, not something to serve.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Lines that are sent together, in bytes.
const CHUNK: usize = 32 * 1024;

/// A statement that the server has seen and whose result we can write.
#[derive(Debug)]
pub(super) struct Statement {
    sql: Arc<str>,
    binds: Vec<Bind>,
    columns: Vec<Column>,
    shape: AnswerShape,
    /// What its placeholders are declared to be.
    types: Vec<Type>,
    /// Where it is among the statements that sessions prepare.
    place: usize,
    /// Where values are written into the text.
    literal: Option<Literal>,
}

#[derive(Debug)]
enum Bind {
    Param(usize),
    Value(Typed<'static>),
}

#[derive(Debug)]
struct Column {
    name: String,
    /// `{"id":` of the first column, `,"email":` of the others.
    key: Vec<u8>,
    oid: u32,
    codec: Codec,
}

/// What a statement answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// JSON.
    pub(super) body: Vec<u8>,
    /// Rows in it; 0 also for a statement that returns none.
    pub(super) rows: u64,
}

impl Statement {
    /// Has the server prepare it and finds a codec for every column. `sql` is the plan's query, made distinct by
    /// `Texts::distinct`.
    ///
    /// # Errors
    ///
    /// If the server refuses it, its placeholders are not what the plan binds, two columns share a name, or a column's type
    /// cannot be written as JSON.
    pub(super) async fn prepare(
        connection: &mut PgConnection,
        plan: &EndpointPlan,
        sql: Arc<str>,
    ) -> anyhow::Result<Self> {
        let binds = plan
            .bind
            .iter()
            .map(|bind| resolved(bind, plan))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let types: Vec<Type> = bind_types(plan).into_iter().map(Kind::declared).collect();
        let declared: Vec<PgTypeInfo> =
            types.iter().map(|r#type| PgTypeInfo::with_oid(Oid(r#type.oid()))).collect();
        let text = AssertSqlSafe(Arc::clone(&sql)).into_sql_str();
        let prepared = match connection.prepare_with(text, &declared).await {
            // sqlx looks an unknown type up and fails over the letter of its kind.
            Err(sqlx::Error::ColumnDecode { .. }) => bail!(
                "the query uses a type that cannot be handled (a multirange): cast it to text in the query"
            ),
            // The server's own words: sqlx adds a line number to them that is one of Postgres' source.
            Err(sqlx::Error::Database(error)) => {
                bail!("Postgres does not take the query: {}", error.message())
            }
            prepared => prepared.context("preparing the query")?,
        };
        if let Some(Either::Left(placeholders)) = prepared.parameters() {
            let (wanted, bound) = (placeholders.len(), binds.len());
            ensure!(wanted == bound, "the query has {wanted} placeholders and {bound} are bound");
        }
        let mut columns: Vec<Column> = Vec::new();
        for (place, column) in prepared.columns().iter().enumerate() {
            let name = column.name();
            if prepared.columns()[..place].iter().any(|other| other.name() == name) {
                bail!("two columns are named `{name}`: name one of them otherwise (AS)");
            }
            let mut key = vec![if place == 0 { b'{' } else { b',' }];
            write_string(name, &mut key);
            key.push(b':');
            let oid = column.type_info().oid();
            let codec = catalog::codec(connection, oid).await.with_context(|| {
                format!("column `{name}` of type {}", column.type_info().name())
            })?;
            let oid = oid.map_or(0, |oid| oid.0);
            columns.push(Column { name: name.to_owned(), key, oid, codec });
        }
        let shape = plan.answer;
        ensure!(
            !columns.is_empty() || shape == AnswerShape::Rows,
            "it answers with a row, and its query returns no columns"
        );
        let literal = (plan.bind_style == BindStyle::Literal).then(|| Literal::new(&sql));
        Ok(Self { sql, binds, columns, shape, types, place: 0, literal })
    }

    /// The text.
    pub(super) fn sql(&self) -> &Arc<str> {
        &self.sql
    }

    /// Whether the answers of both look alike: the same columns of the same types, in the same shape.
    pub(super) fn answers_like(&self, other: &Self) -> bool {
        let columns = |statement: &'_ Self| -> Vec<(String, Codec)> {
            let all = statement.columns.iter();
            all.map(|column| (column.name.clone(), column.codec.clone())).collect()
        };
        self.shape == other.shape && columns(self) == columns(other)
    }

    /// What it answers, as JSON Schema.
    pub(super) fn schema(&self) -> Value {
        if self.columns.is_empty() {
            return json!({
                "type": "object",
                "properties": { "affected": { "type": "integer", "minimum": 0 } },
                "required": ["affected"],
            });
        }
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let properties: serde_json::Map<String, Value> = self
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.codec.nullable_schema()))
            .collect();
        let row = json!({ "type": "object", "properties": properties, "required": names });
        match self.shape {
            AnswerShape::Rows => json!({ "type": "array", "items": row }),
            AnswerShape::Row | AnswerShape::Lines => row,
        }
    }

    /// How its rows are answered.
    pub(super) fn shape(&self) -> AnswerShape {
        self.shape
    }

    /// Has its recipe among those that sessions prepare; one text is prepared once.
    pub(super) fn settle(&mut self, recipes: &mut Vec<Recipe>) {
        // A type that somebody has made is asked for on the same session: before the first request, while no answer that is
        // longer than the session's buffer waits in front of the one about the type.
        let has_own_type = |column: &Column| Type::from_oid(column.oid).is_none();
        if self.literal.is_some() && !self.columns.iter().any(has_own_type) {
            return;
        }
        let known = recipes.iter().position(|recipe| recipe.sql == self.sql);
        self.place = known.unwrap_or_else(|| {
            let columns = self.columns.iter().map(|column| column.oid).collect();
            recipes.push(Recipe { sql: Arc::clone(&self.sql), types: self.types.clone(), columns });
            recipes.len() - 1
        });
    }

    /// Executes it for these parameters and writes the result; `laps` are told what is waiting and what is writing.
    ///
    /// # Errors
    ///
    /// See [`Failure`]; [`Failure::spares_connection`] says whether the session can be used again.
    pub(super) async fn run(
        &self,
        session: &Session,
        given: &[Given<'_>],
        laps: &mut Laps,
    ) -> Result<Answer, Failure> {
        let mut rows = pin!(self.rows(session, given).await?);
        let mut answer = Answer { body: Vec::with_capacity(512), rows: 0 };
        if self.shape == AnswerShape::Rows {
            answer.body.push(b'[');
        }
        while let Some(row) = rows.next().await {
            let row = row.map_err(Failure::Database)?;
            if !self.columns.is_empty() {
                laps.lap(Stage::Query);
                self.row(&row, &mut answer)?;
                laps.lap(Stage::Serialise);
            }
        }
        laps.lap(Stage::Query);
        match self.shape {
            AnswerShape::Rows if self.columns.is_empty() => {
                let affected = rows.rows_affected().unwrap_or(0);
                answer.body = format!("{{\"affected\":{affected}}}").into_bytes();
            }
            AnswerShape::Rows => answer.body.push(b']'),
            AnswerShape::Row if answer.rows == 0 => return Err(Failure::NoRow),
            AnswerShape::Row if answer.rows > 1 => return Err(Failure::SeveralRows),
            AnswerShape::Row | AnswerShape::Lines => {}
        }
        Ok(answer)
    }

    /// Executes it for these parameters and gives its rows in chunks of lines, each of which is taken before the next one is
    /// begun.
    ///
    /// # Errors
    ///
    /// As of [`Self::run`], or whatever `take` says.
    pub(super) async fn lines<T: Future<Output = Result<(), Failure>>>(
        &self,
        session: &Session,
        given: &[Given<'_>],
        take: impl Fn(Vec<u8>) -> T,
    ) -> Result<(), Failure> {
        let mut rows = pin!(self.rows(session, given).await?);
        let mut chunk = Vec::new();
        let mut is_first = true;
        while let Some(row) = rows.next().await {
            let row = row.map_err(Failure::Database)?;
            if std::mem::take(&mut is_first) {
                self.same_columns(&row)?;
            }
            self.object(&row, &mut chunk)?;
            chunk.push(b'\n');
            if chunk.len() >= CHUNK {
                take(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK + CHUNK / 4))).await?;
            }
        }
        if chunk.is_empty() { Ok(()) } else { take(chunk).await }
    }

    /// What the server answers to it with these values.
    async fn rows(&self, session: &Session, given: &[Given<'_>]) -> Result<RowStream, Failure> {
        let values = self.values(given)?;
        match &self.literal {
            Some(literal) => {
                let sql = literal.fill(&values).ok_or(Failure::Changed)?;
                session.execute_text(&sql).await
            }
            None => session.execute(self.place, &values).await,
        }
    }

    /// What stands for each placeholder, in order.
    fn values<'v>(&'v self, given: &'v [Given<'_>]) -> Result<Vec<&'v Typed<'v>>, Failure> {
        let value = |bind: &'v Bind| match bind {
            Bind::Param(place) => given.get(*place).map(|given| &given.value),
            Bind::Value(value) => Some(value),
        };
        self.binds.iter().map(|bind| value(bind).ok_or(Failure::Changed)).collect()
    }

    fn row(&self, row: &Row, answer: &mut Answer) -> Result<(), Failure> {
        if answer.rows == 0 {
            self.same_columns(row)?;
        } else {
            answer.body.push(b',');
        }
        self.object(row, &mut answer.body)?;
        answer.rows += 1;
        if answer.body.len() > LARGEST_ANSWER { Err(Failure::TooLarge) } else { Ok(()) }
    }

    /// One row as an object.
    fn object(&self, row: &Row, body: &mut Vec<u8>) -> Result<(), Failure> {
        for (place, column) in self.columns.iter().enumerate() {
            body.extend_from_slice(&column.key);
            let Field(bytes) = row.try_get(place).map_err(Failure::Database)?;
            let written = column.codec.write_nullable(bytes, body);
            written.map_err(|Malformed| Failure::Malformed)?;
        }
        body.push(b'}');
        Ok(())
    }

    /// A table may be altered under us: what was prepared was compared then (`session`), a text is compared now.
    fn same_columns(&self, row: &Row) -> Result<(), Failure> {
        if self.literal.is_none() {
            return Ok(());
        }
        let now = row.columns().iter().map(|column| column.type_().oid());
        if now.eq(self.columns.iter().map(|column| column.oid)) {
            Ok(())
        } else {
            Err(Failure::Changed)
        }
    }
}

fn resolved(bind: &BindPlan, plan: &EndpointPlan) -> anyhow::Result<Bind> {
    match bind {
        BindPlan::Param(place) => {
            let known = plan.params.len();
            ensure!(*place < known, "parameter {place} is bound, but there are only {known}");
            Ok(Bind::Param(*place))
        }
        BindPlan::Value { r#type, text } => {
            let value = Typed::parse(*r#type, &text.clone().into());
            let value = value.map_err(anyhow::Error::msg);
            Ok(Bind::Value(value.with_context(|| format!("the bound value `{text}`"))?))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::ParamType;

    /// An endpoint with bound values of these types.
    pub(in crate::api) fn endpoint(query: &str, types: &[ParamType]) -> EndpointPlan {
        EndpointPlan {
            name: "one".to_owned(),
            method: "GET".to_owned(),
            path: "/one".to_owned(),
            query: query.to_owned(),
            bind: types
                .iter()
                .map(|r#type| BindPlan::Value { r#type: *r#type, text: "1".to_owned() })
                .collect(),
            params: vec![],
            answer: AnswerShape::Rows,
            bind_style: BindStyle::Prepared,
            cursor: vec![],
            writes: vec![],
            cache: None,
        }
    }

    #[test]
    fn a_binding_to_nothing_and_a_value_of_another_type_are_refused() {
        let mut plan = endpoint("SELECT $1", &[]);
        let nothing = resolved(&BindPlan::Param(0), &plan);
        assert!(nothing.is_err());
        plan.bind = vec![BindPlan::Value { r#type: ParamType::Integer, text: "x".to_owned() }];
        assert!(resolved(&plan.bind[0], &plan).is_err());
    }
}
