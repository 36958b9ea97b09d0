// HTML that a script sends, as scripts of the first RedRabbit do. Only the tags
// below come through, as new nodes; everything else is dropped or becomes text.
import DOMPurify from "dompurify";

const COLOR = /^(#[0-9a-f]{3,8}|[a-z]{3,24})$/i;

DOMPurify.addHook("uponSanitizeAttribute", (node, attribute) => {
  const allowed = node.nodeName === "FONT" && attribute.attrName === "color" && COLOR.test(attribute.attrValue);
  if (!allowed) attribute.keepAttr = false;
});

export function renderSnippet(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: ["font", "b", "i", "br"],
    ALLOWED_ATTR: ["color"],
    ALLOW_ARIA_ATTR: false,
    ALLOW_DATA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
