// Every text that is shown with its contrast to what lies under it, the weakest first: [ratio, the text's beginning].
() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const over = (top, below) => [0, 1, 2].map((at) => (top[at] * top[3] + below[at] * (255 - top[3])) / 255);
  const paper = (node) => {
    const own = rgba(getComputedStyle(node).backgroundColor);
    return own[3] === 255 || !node.parentElement ? own : [...over(own, paper(node.parentElement)), 255];
  };
  const says = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  return [...document.querySelectorAll("body *:not(noscript, script, style, .unseen)")]
    .filter((node) => says(node) && node.checkVisibility())
    .map((node) => {
      const [ink, under] = [light(over(rgba(getComputedStyle(node).color), paper(node))), light(paper(node))];
      return [(Math.max(ink, under) + 0.05) / (Math.min(ink, under) + 0.05), node.textContent.slice(0, 30)];
    })
    .sort((a, b) => a[0] - b[0]);
}
