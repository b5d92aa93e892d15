/* Which failures are alike: the same folds, in the same order, as jobtrail.analysis.diagnosis.make_signature; a test compares them. */

const FOLDS = [
  [/'[^']*'|"[^"]*"|`[^`]*`/gu, "'…'"],
  [
    /\p{Nd}{4}-\p{Nd}\p{Nd}-\p{Nd}\p{Nd}[T ]\p{Nd}\p{Nd}:\p{Nd}\p{Nd}(:\p{Nd}\p{Nd}(\.\p{Nd}+)?)?(Z|[+-]\p{Nd}\p{Nd}:?\p{Nd}\p{Nd})?/gu,
    "<time>",
  ],
  [/(?<![\p{L}\p{N}_])[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![\p{L}\p{N}_])/gu, "<id>"],
  [/(?<![0-9a-zA-Z])(?=[a-fA-F]*\p{Nd})(0x)?[0-9a-fA-F]{7,}(?![0-9a-zA-Z])/gu, "<id>"],
  [/\p{Nd}+([.,:]\p{Nd}+)*/gu, "N"],
];
const LONGEST_SIGNATURE = 140;

function signature(reason) {
  let text = reason || "(no reason given)";
  for (const [pattern, standsFor] of FOLDS) text = text.replace(pattern, standsFor);
  const characters = [...text];
  return characters.length <= LONGEST_SIGNATURE ? text : `${characters.slice(0, LONGEST_SIGNATURE - 1).join("")}…`;
}
