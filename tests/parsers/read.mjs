// node read.mjs FOLDER prints what two parsers, with their defaults, make of the feeds in it:
// {"<parser> <format>": [{"<fact>": its value, as in tests/readback.py}, ...]}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseFeed } from "feedsmith";
import RssParser from "rss-parser";

const date = (text) => text && new Date(text).toISOString();

const mediaOf = (media) => ({
  image: media?.contents[0].url,
  credit: media?.contents[0].credits?.[0].value,
});

const feedsmith = {
  rss: (item) => ({
    title: item.title,
    id: item.guid.value,
    link: item.link,
    authors: item.dc?.creators,
    published: date(item.pubDate),
    updated: date(item.atom?.updated),
    summary: item.description,
    content: item.content?.encoded,
    categories: item.categories?.map((category) => category.name),
    ...mediaOf(item.media),
    enclosure: item.enclosures?.map((one) => [one.url, one.type, one.length])[0],
    language: item.dc?.languages?.[0],
    rights: item.dc?.rights?.[0],
  }),
  atom: (entry) => ({
    title: entry.title.value,
    id: entry.id,
    link: entry.links.find((one) => one.rel === "alternate")?.href,
    authors: entry.authors?.map((author) => author.name),
    published: date(entry.published),
    updated: date(entry.updated),
    summary: entry.summary?.value,
    content: entry.content?.value,
    categories: entry.categories?.map((category) => category.label),
    ...mediaOf(entry.media),
    enclosure: entry.links.filter((one) => one.rel === "enclosure").map((one) => [one.href, one.type, one.length])[0],
    language: entry.xml?.lang,
    rights: entry.rights?.value,
  }),
  json: (item) => ({
    title: item.title,
    id: item.id,
    link: item.url,
    authors: item.authors?.map((author) => author.name),
    published: date(item.date_published),
    updated: date(item.date_modified),
    summary: item.summary,
    content: item.content_html,
    categories: item.tags,
    image: item.image,
    credit: item._feedwright?.image?.credit,
    enclosure: item.attachments?.map((one) => [one.url, one.mime_type, one.size_in_bytes])[0],
    language: item.language,
    rights: item._feedwright?.rights,
  }),
};

// What it does not know is asked for under the name that it would have.
const rssParser = {
  rss: (item) => ({
    title: item.title,
    id: item.guid,
    link: item.link,
    authors: item.creator && [item.creator],
    published: item.isoDate,
    updated: item.updated,
    summary: item.content,
    content: item["content:encoded"],
    categories: item.categories?.map((category) => category._),
    image: item.image,
    credit: item.credit,
    enclosure: item.enclosure && [item.enclosure.url, item.enclosure.type, Number(item.enclosure.length)],
    language: item.language,
    rights: item.rights,
  }),
  atom: (entry) => ({
    title: entry.title,
    id: entry.id,
    link: entry.link,
    authors: entry.author && [entry.author],
    published: entry.isoDate,
    updated: entry.updated,
    summary: entry.summary,
    content: entry.content,
    categories: entry.categories,
    image: entry.image,
    credit: entry.credit,
    enclosure: entry.enclosure,
    language: entry.language,
    rights: entry.rights,
  }),
};

const document = (format) => readFileSync(join(process.argv[2], `feed.${format}`), "utf8");

const read = {};
for (const [format, facts] of Object.entries(feedsmith)) {
  const { feed } = parseFeed(document(format));
  read[`feedsmith ${format}`] = (feed.items ?? feed.entries).map(facts);
}
for (const [format, facts] of Object.entries(rssParser)) {
  const feed = await new RssParser().parseString(document(format));
  read[`rss-parser ${format}`] = feed.items.map(facts);
}
console.log(JSON.stringify(read));
