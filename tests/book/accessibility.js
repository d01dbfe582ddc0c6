// Serious faults of the page as it is seen now, by axe-core. The same is not asked twice:
// - Names, roles and the keyboard are a matter of the tree, of what of it is visible and where it stands. Where these
//   were seen before, in another scheme, only the rules on colours are asked, of what is not known to be good.
// - The contrast of a text is a matter of its kind: its own style, and what is painted where it stands. A kind that axe
//   has found good is good on every page (`good` comes from the pages before); all others are asked at each text.
// - A link in a text is good by its style (a line under it) wherever the two styles are the same.
(good) => {
  const COLOURS = ['color-contrast', 'link-in-text-block'];
  const REPLACED = 'img, svg, canvas, video, iframe, object, input, select, textarea, button';
  const FIELDS = 'input, select, textarea'; // what shows text without a text node
  const OUT_OF_SIGHT = ['elmPartiallyObscured', 'elmPartiallyObscuring']; // for these, axe leaves a text undecided
  const [ruleOf, checkOf] = [(name) => axe._audit.rules.find(({id}) => id === name), (name) => axe._audit.checks[name]];
  const trees = new Map(), goodKinds = new Set(good);
  const mild = axe._audit.rules.filter(({impact}) => ['minor', 'moderate'].includes(impact));
  const unasked = Object.fromEntries(mild.map(({id}) => [id, {enabled: false}])); // their faults would be left out
  let painted, faded, kinds, shown, seen;

  const isText = ({nodeType, data}) => nodeType === 3 && data.trim();
  const hasText = (node) => [...node.childNodes].some(isText) || node.matches(FIELDS);

  // Where the letters stand; a field has none of its own.
  const findLines = (node) => {
    const range = document.createRange();
    const lines = [...node.childNodes].filter(isText).flatMap((text) => {
      range.selectNodeContents(text);
      return [...range.getClientRects()];
    });
    return lines.length ? lines : [...node.getClientRects()];
  };

  // All that is visible, and every box with a colour or a picture of its own, with all that decides how it shows.
  const lookAround = () => {
    [painted, faded, kinds, shown] = [[], new Map(), new Map(), new Map()];
    for (const node of document.querySelectorAll('*')) {
      if (!node.checkVisibility({visibilityProperty: true})) continue;
      shown.set(node, node.checkVisibility({visibilityProperty: true, opacityProperty: true}));
      const style = getComputedStyle(node), replaced = node.matches(REPLACED);
      faded.set(node, (faded.get(node.parentElement) ?? '') + (style.opacity === '1' ? '' : `/${style.opacity}`));
      if (style.backgroundImage === 'none' && /^rgba\(.*, 0\)$/.test(style.backgroundColor) && !replaced) continue;
      const shows = [style.backgroundColor, style.backgroundImage, style.backgroundClip, style.mixBlendMode, style.filter];
      const paint = [replaced, ...shows, style.position, style.zIndex, faded.get(node)].join();
      for (const box of node.getClientRects()) painted.push([node, box, paint]);
    }
  };

  // `kind` is null where something else is painted over a part of the text, so that only axe can tell; it looks at the
  // middle of each line. `place` is what of the kind is no colour.
  const findKind = (node) => {
    const style = getComputedStyle(node);
    const own = [style.color, style.fontSize, style.fontWeight, style.textShadow, style.webkitTextStroke, faded.get(node)];
    const lines = new Set(), places = [];
    let known = true;
    for (const {left, right, top, bottom} of findLines(node)) {
      const line = [], x = (left + right) / 2, y = (top + bottom) / 2;
      for (const [other, box, paint] of painted) {
        if (box.left >= right || box.right <= left || box.top >= bottom || box.bottom <= top) continue;
        const beyond = [box.left > left, box.right < right, box.top > top, box.bottom < bottom].map(Number).join('');
        const relation = other === node ? 'self' : other.contains(node) ? 'around' : node.contains(other) ? 'within' : 'other';
        if (relation === 'other' && beyond !== '0000') {
          if (box.left > x + 1 || box.right < x - 1 || box.top > y + 1 || box.bottom < y - 1) continue;
          known = false;
        }
        places.push(relation, beyond);
        line.push([relation, beyond, paint].join());
      }
      lines.add(line.join());
    }
    return {kind: known ? [...own, ...lines].join('|') : null, place: places.join()};
  };
  const look = (node) => {
    if (!kinds.has(node)) kinds.set(node, findKind(node));
    return kinds.get(node);
  };
  const kindOf = (node) => look(node).kind;

  // What axe compares of a link and of the block around it, beside colours.
  const linkKindOf = (link) => {
    let block = link.parentElement;
    while (getComputedStyle(block).display === 'inline') block = block.parentElement;
    return ['link', ...[link, block].flatMap((node) => {
      const style = getComputedStyle(node);
      const edges = ['border-bottom', 'border-top', 'outline'].map((name) => style.getPropertyValue(name));
      return [
        style.display, style.backgroundImage, style.fontFamily, style.fontWeight, style.fontStyle, style.fontSize,
        style.textDecorationLine, style.textDecorationStyle, ...edges.map((edge) => /^0px|none/.test(edge) ? '' : edge),
      ];
    })].join('|');
  };

  // The tree as axe's other rules see it: of a light and a dark picture, which have the same place, one is there.
  const TWINS = ['class', 'src', 'srcset', 'sizes', 'width', 'height', 'style', 'loading'];
  const describe = (node) => {
    const attributes = [...node.attributes].filter(({name}) => !TWINS.includes(name) && !name.startsWith('data-'));
    return [node.tagName, shown.get(node), ...attributes.map(({name, value}) =>
      name === 'alt' ? `alt${!!value.trim()}` : name === 'href' && !value.startsWith('#') ? 'href' : `${name}=${value}`)].join();
  };
  const seeTree = () => [window.innerWidth, document.body.outerHTML, ...[...shown.keys()].map(describe)].join('|');

  const contrast = ruleOf('color-contrast'), {matches} = contrast;
  contrast.matches = function (node, ...others) {
    if (!hasText(node) || !shown.has(node) || goodKinds.has(kindOf(node))) return false;
    const matched = matches.call(this, node, ...others);
    if (!matched) seen.mute.set(node, look(node).place);
    return matched;
  };
  const ratio = checkOf('color-contrast'), {evaluate} = ratio;
  ratio.evaluate = function (node, ...others) {
    const kind = kindOf(node), {data} = this;
    if (goodKinds.has(kind)) return true;
    let said = {};
    this.data = (found) => data.call(this, (said = found));
    const passed = evaluate.call(this, node, ...others);
    if (passed === true && said.contrastRatio && kind) goodKinds.add(kind);
    if (passed === undefined && OUT_OF_SIGHT.includes(said.messageKey)) seen.mute.set(node, look(node).place);
    return passed;
  };

  const inText = ruleOf('link-in-text-block'), {matches: matchesLink} = inText;
  inText.matches = function (node, ...others) {
    const matched = matchesLink.call(this, node, ...others);
    if (matched) seen.links.add(node);
    return matched && !goodKinds.has(linkKindOf(node));
  };
  const distinct = checkOf('link-in-text-block-style'), {evaluate: evaluateLink} = distinct;
  distinct.evaluate = function (node, ...others) {
    const passed = evaluateLink.call(this, node, ...others);
    if (passed === true) goodKinds.add(linkKindOf(node));
    return passed;
  };

  window.seriousFaults = async () => {
    lookAround();
    const tree = seeTree(), again = trees.has(tree);
    if (!again) trees.set(tree, {mute: new Map(), links: new Set()});
    seen = trees.get(tree);
    const unsure = (node) => hasText(node) && !goodKinds.has(kindOf(node)) && seen.mute.get(node) !== look(node).place;
    const texts = again ? [...shown.keys()].filter(unsure) : [];
    const links = [...seen.links].filter((link) => !goodKinds.has(linkKindOf(link)));
    // One of each kind may be enough.
    const examples = new Map(texts.map((text) => [kindOf(text) ?? text, text]));
    const first = [...examples.values(), ...links];
    // From a disk, axe cannot fetch the style sheets a second time: it would say so on the console, for each of them.
    const options = {resultTypes: ['violations'], preload: false, ...(again ? {runOnly: COLOURS} : {rules: unasked})};
    const ask = async (nodes) => (nodes.length ? (await axe.run(nodes, options)).violations : []);
    let violations;
    if (again) {
      violations = await ask(first);
      if (texts.some((text) => !first.includes(text) && unsure(text))) violations = await ask([...texts, ...links]);
      violations.push(...seen.others);
    } else {
      ({violations} = await axe.run(options));
      seen.others = violations.filter(({id}) => !COLOURS.includes(id));
    }
    const serious = violations.filter(({impact}) => ['serious', 'critical'].includes(impact));
    return [serious.map(({id, nodes}) => [id, nodes.length, nodes[0].html.slice(0, 160)]), [...goodKinds]];
  };
}
