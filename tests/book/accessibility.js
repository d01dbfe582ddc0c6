// Serious faults of the page as it is seen now, by axe-core. The same is not asked twice:
// - Names, roles and the keyboard are a matter of the tree, of what of it is visible, and of the window's width. Where
//   these were seen before, in another scheme, only the rules on colours are asked.
// - The contrast of a text is a matter of its kind: its own style, and what is painted where it stands. A kind that axe
//   has found good is good on every page (`good` comes from the pages before); all others are asked at each text.
(good) => {
  const COLOURS = ['color-contrast', 'link-in-text-block'];
  const REPLACED = 'img, svg, canvas, video, iframe, object, input, select, textarea, button';
  const rule = axe._audit.rules.find(({id}) => id === 'color-contrast');
  const check = axe._audit.checks['color-contrast'];
  const {matches} = rule, {evaluate} = check;
  const trees = new Map(), goodKinds = new Set(good);
  let painted, faded, kinds;

  // Every box with a colour or a picture of its own, with all that decides how it shows.
  const lookAround = () => {
    [painted, faded, kinds] = [[], new Map(), new Map()];
    for (const node of document.querySelectorAll('*')) {
      const style = getComputedStyle(node), replaced = node.matches(REPLACED);
      faded.set(node, (faded.get(node.parentElement) ?? '') + (style.opacity === '1' ? '' : `/${style.opacity}`));
      if (style.backgroundImage === 'none' && /^rgba\(.*, 0\)$/.test(style.backgroundColor) && !replaced) continue;
      const shows = [style.backgroundColor, style.backgroundImage, style.backgroundClip, style.mixBlendMode, style.filter];
      const look = [replaced, ...shows, style.position, style.zIndex, faded.get(node)].join();
      for (const box of node.getClientRects()) painted.push([node, box, look]);
    }
  };

  // null: something else is painted over a part of the text's box, so that only axe can tell.
  const findKind = (node) => {
    const style = getComputedStyle(node);
    const own = [style.color, style.fontSize, style.fontWeight, style.textShadow, style.webkitTextStroke, faded.get(node)];
    const lines = new Set();
    for (const {left, right, top, bottom} of node.getClientRects()) {
      const line = [];
      for (const [other, box, look] of painted) {
        if (box.left >= right || box.right <= left || box.top >= bottom || box.bottom <= top) continue;
        const beyond = [box.left > left, box.right < right, box.top > top, box.bottom < bottom].map(Number).join('');
        const relation = other === node ? 'self' : other.contains(node) ? 'around' : node.contains(other) ? 'within' : 'other';
        if (relation === 'other' && beyond !== '0000') return null;
        line.push([relation, beyond, look].join());
      }
      lines.add(line.join());
    }
    return [...own, ...lines].join('|');
  };
  const kindOf = (node) => {
    if (!kinds.has(node)) kinds.set(node, findKind(node));
    return kinds.get(node);
  };

  rule.matches = function (node, ...others) {
    const text = [...node.childNodes].some(({nodeType, data}) => nodeType === 3 && data.trim());
    return !(text && goodKinds.has(kindOf(node))) && matches.call(this, node, ...others);
  };
  check.evaluate = function (node, ...others) {
    const kind = kindOf(node), {data} = this;
    if (goodKinds.has(kind)) return true;
    let ratio;
    this.data = (found) => { ratio = found.contrastRatio; return data.call(this, found); };
    const passed = evaluate.call(this, node, ...others);
    if (passed === true && ratio && kind) goodKinds.add(kind);
    return passed;
  };

  window.seriousFaults = async () => {
    lookAround();
    const visible = [...document.querySelectorAll('*')].map((node) => +node.checkVisibility({visibilityProperty: true}));
    const tree = [window.innerWidth, document.body.outerHTML, visible.join('')].join();
    // From a disk, axe cannot fetch the style sheets a second time: it would say so on the console, for each of them.
    const options = {resultTypes: ['violations'], preload: false};
    if (trees.has(tree)) options.runOnly = COLOURS;
    const {violations} = await axe.run(options);
    if (!trees.has(tree)) trees.set(tree, violations.filter(({id}) => !COLOURS.includes(id)));
    else violations.push(...trees.get(tree));
    const serious = violations.filter(({impact}) => ['serious', 'critical'].includes(impact));
    return [serious.map(({id, nodes}) => [id, nodes.length, nodes[0].html.slice(0, 160)]), [...goodKinds]];
  };
}
