//! `report.html`: the report's Markdown as one page that needs nothing else, with its plots drawn into it.
//!
//! An author's prose is Markdown of his own. Tags in it are shown and not obeyed, and pictures from elsewhere become
//! links: whoever opens the page fetches nothing.

use std::collections::BTreeSet;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde::Serialize;

use super::plots::Plot;
use super::render::fill;

/// The frame of every page.
const FRAME: &str = include_str!("../../infra/page.html.j2");
/// Its style sheet.
const STYLE: &str = include_str!("../../infra/page.css");
/// What makes tables sortable.
const SORT: &str = include_str!("../../infra/page.js");

/// A page as its frame sees it.
#[derive(Debug, Serialize)]
struct PageView<'a> {
    title: &'a str,
    style: String,
    script: &'a str,
    /// Anchor and text of each chapter.
    chapters: Vec<(String, String)>,
    body: String,
}

/// The page of a report.
///
/// # Errors
///
/// Only if the built-in frame does not fit: a bug.
pub(super) fn page(markdown: &str, plots: &[Plot]) -> anyhow::Result<String> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events: Vec<Event<'_>> = Parser::new_ext(markdown, options).collect();
    let mut writer = Writer {
        plots,
        chapters: Vec::new(),
        anchors: BTreeSet::from(["content".to_owned()]),
        title: String::new(),
        above: String::new(),
    };
    let events = writer.rewrite(&events);
    let mut body = String::with_capacity(markdown.len() * 3);
    html::push_html(&mut body, events.into_iter());
    // A page has a thousand cells of figures.
    let body = body.replace(" style=\"text-align: right\"", " class=\"num\"");
    let title = if writer.title.is_empty() { "report" } else { &writer.title };
    framed(title, writer.chapters.clone(), body, SORT)
}

/// A body in the frame, with the style sheet.
///
/// # Errors
///
/// Only if the built-in frame does not fit: a bug.
pub(super) fn framed(
    title: &str,
    chapters: Vec<(String, String)>,
    body: String,
    script: &str,
) -> anyhow::Result<String> {
    let style = format!("{STYLE}{}", crate::plot::style(".plot"));
    let title = &escaped(title);
    fill("page.html.j2", FRAME, &PageView { title, style, script, chapters, body })
}

/// A text that opens no tag.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

struct Writer<'a> {
    plots: &'a [Plot],
    chapters: Vec<(String, String)>,
    /// Taken names, the frame's own among them.
    anchors: BTreeSet<String>,
    title: String,
    /// The heading that one is below.
    above: String,
}

impl Writer<'_> {
    fn rewrite<'e>(&mut self, events: &[Event<'e>]) -> Vec<Event<'e>> {
        let mut out = Vec::with_capacity(events.len() + 64);
        let mut i = 0;
        while let Some(event) = events.get(i) {
            if let Some((figure, after)) = self.figure(events, i) {
                out.push(Event::Html(figure.into()));
                i = after;
                continue;
            }
            match event {
                Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
                    let text = words(&events[i + 1..]);
                    let id = self.anchor(&text);
                    match *level as u8 {
                        1 if self.title.is_empty() => self.title.clone_from(&text),
                        2 => self.chapters.push((id.clone(), escaped(&text))),
                        _ => {}
                    }
                    self.above = text;
                    let (classes, attrs) = (classes.clone(), attrs.clone());
                    out.push(Event::Start(Tag::Heading {
                        level: *level,
                        id: Some(id.into()),
                        classes,
                        attrs,
                    }));
                }
                Event::Start(Tag::Table(_)) => {
                    let label = escaped(&self.above);
                    let open = format!(
                        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Table: {label}\">\n"
                    );
                    out.extend([Event::Html(open.into()), event.clone()]);
                }
                Event::End(TagEnd::Table) => {
                    out.extend([event.clone(), Event::Html("</div>\n".into())]);
                }
                other => out.push(harmless(other)),
            }
            i += 1;
        }
        out
    }

    /// The figure for a plot that stands alone in its paragraph, and where the text goes on.
    fn figure(&self, events: &[Event<'_>], at: usize) -> Option<(String, usize)> {
        let (Event::Start(Tag::Paragraph), Event::Start(Tag::Image { dest_url, .. })) =
            (events.get(at)?, events.get(at + 1)?)
        else {
            return None;
        };
        let plot = self.plots.iter().find(|plot| plot.path == dest_url.as_ref())?;
        let end = events[at..].iter().position(|e| matches!(e, Event::End(TagEnd::Image)))? + at;
        if !matches!(events.get(end + 1)?, Event::End(TagEnd::Paragraph)) {
            return None;
        }
        let figure = format!(
            "<figure>\n{}{}<figcaption>{}. <a href=\"{}\">As a file</a></figcaption>\n</figure>\n",
            plot.wide.inline("wide"),
            plot.narrow.inline("narrow"),
            escaped(&plot.about),
            escaped(&plot.path),
        );
        Some((figure, end + 2))
    }

    /// An anchor of its own for each heading.
    fn anchor(&mut self, text: &str) -> String {
        let letters = text.to_lowercase();
        let words = letters.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
        let slug = words.collect::<Vec<_>>().join("-");
        let slug = if slug.is_empty() { "part".to_owned() } else { slug };
        let numbered = (2..).map(|n: usize| format!("{slug}-{n}"));
        // One of so many more names than there are headings is free.
        let mut names = std::iter::once(slug.clone()).chain(numbered).take(self.anchors.len() + 2);
        let free = names.find(|name| !self.anchors.contains(name)).unwrap_or(slug);
        self.anchors.insert(free.clone());
        free
    }
}

/// What a heading says.
fn words(events: &[Event<'_>]) -> String {
    let inside = events.iter().take_while(|e| !matches!(e, Event::End(TagEnd::Heading(_))));
    inside
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect()
}

/// Tags are shown as text; what would be fetched is linked; a link that is no address leads nowhere.
fn harmless<'e>(event: &Event<'e>) -> Event<'e> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text.clone()),
        Event::Start(
            Tag::Image { link_type, dest_url, title, id }
            | Tag::Link { link_type, dest_url, title, id },
        ) => Event::Start(Tag::Link {
            link_type: *link_type,
            dest_url: address(dest_url),
            title: title.clone(),
            id: id.clone(),
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other.clone(),
    }
}

fn address<'e>(url: &CowStr<'e>) -> CowStr<'e> {
    let scheme = url.split(['/', '?', '#']).next().and_then(|head| head.split_once(':'));
    match scheme.map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
        None | Some("http" | "https" | "mailto") => url.clone(),
        Some(_) => "#".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(markdown: &str) -> String {
        page(markdown, &[]).expect("the frame fits")
    }

    #[test]
    fn prose_cannot_fetch_or_run_anything() {
        let hostile = "# T\n\n<script>alert(1)</script>\n\n![x](http://example.com/a.png) <img src=x onerror=y>\n\n\
                       [a](javascript:alert(1)) [b](JaVaScript:x) [c](data:text/html,x) [d](docs/a.md#b:c)";
        let page = body(hostile);
        let (_, body) = page.split_once("<main").expect("a body");
        let (body, _) = body.split_once("</main>").expect("an end");
        for tag in ["<script", "<img", "javascript:", "href=\"data:"] {
            assert!(!body.to_lowercase().contains(tag), "{tag}: {body}");
        }
        assert!(
            body.contains("href=\"http://example.com/a.png\"") && body.contains("docs/a.md#b:c")
        );
        assert!(page.contains("default-src 'none'"), "the browser is told too");
    }

    #[test]
    fn chapters_have_anchors_of_their_own_and_a_list() {
        let page = body(
            "# The title\n\n## A `b` & c\n\ntext\n\n## A `b` & c\n\n### A `b` & c\n\n## ÄÖ\n\n## Content\n",
        );
        for anchor in ["a-b-c", "a-b-c-2", "part", "content-2"] {
            assert_eq!(page.matches(&format!("id=\"{anchor}\"")).count(), 1, "{anchor}");
            assert_eq!(page.matches(&format!("href=\"#{anchor}\"")).count(), 1, "{anchor}");
        }
        assert!(page.contains("<title>The title</title>"));
    }

    #[test]
    fn a_table_can_be_scrolled_by_keyboard_and_says_what_it_is() {
        let page = body("## Costs\n\n| a | b |\n|---|--:|\n| x | 1 |\n");
        assert!(page.contains(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Table: Costs\">"
        ));
    }
}
