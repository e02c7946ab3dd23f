// What some clients do not support, and what their readers see instead.
export const accepted = {
  "<body> element": "the table within has the same colours and widths",
  "<style> element": "every rule but those for phones and dark mode stands in style attributes",
  "@media": "without it the letter is light, and its one column as narrow as the screen",
  "Local anchors": "the articles follow in the order of the contents",
  "aria-label attribute": "the text of the link says where it leads",
  "border-radius": "corners are square",
  "color-scheme meta tag": "a client that darkens by itself does: contrast is checked for that",
  "display:none": "the line of the preview has no height and hides what does not fit",
  "height property": "a least height does the same",
  "max-height property": "Outlook hides the line of the preview by `mso-hide`",
  "opacity": "Outlook hides the line of the preview by `mso-hide`",
  "overflow": "Outlook hides the line of the preview by `mso-hide`",
  "role attribute": "tables of the layout are announced as tables",
  "srcset and sizes attributes": "`src` is a picture of the size at which it is shown",
  "word-break": "a very long word makes the column wider",
};
