// Says what Grafana shows for panels: reads `{"drawings": [...]}` on standard input, writes a list on standard output.
// `draw.py` has the shapes of both. Everything that Grafana publishes is called: transformations, display names and
// values, the table's widths and sorting, the tiles' and bars' sizes, the axis. Three things it does not publish are
// written here after it: how its server makes frames of Prometheus' answers, which options a type of panel knows, and
// how variables are replaced in texts and links.
'use strict';

// What the libraries say goes to standard error, for standard output is the answer.
console.log = console.info = console.warn = console.error;

const fs = require('fs');
const Module = require('module');
const path = require('path');
const { JSDOM } = require('jsdom');
const fontkit = require('fontkit');

// ---------------------------------------------------------------------------------------------------------------------
// A browser, as far as Grafana's libraries ask for one

const dom = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost:3000/', pretendToBeVisual: true });
const GLOBALS = [
  'window', 'document', 'navigator', 'localStorage', 'HTMLElement', 'Element', 'Node', 'MutationObserver', 'Event',
  'getComputedStyle', 'requestAnimationFrame', 'cancelAnimationFrame', 'DOMParser', 'CustomEvent', 'location',
  'history', 'SVGElement', 'self',
];
for (const name of GLOBALS) {
  Object.defineProperty(globalThis, name, { value: dom.window[name], configurable: true, writable: true });
}
const listening = { addEventListener() {}, removeEventListener() {}, addListener() {}, removeListener() {} };
window.matchMedia = globalThis.matchMedia = () => ({ matches: false, ...listening });
window.ResizeObserver = globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
globalThis.devicePixelRatio = window.devicePixelRatio = 1;
globalThis.Path2D = window.Path2D = class {
  moveTo() {}
  lineTo() {}
  rect() {}
  arc() {}
  closePath() {}
};
document.queryCommandSupported = () => false;
require.extensions['.css'] = () => {};

// The table wraps its texts with a library that has no entry for `require`, but a script that leaves a global name. And
// all of Grafana's user interface, a second to load, would come with what only links of exemplars ask for.
const load = Module._load;
const OTHERS = { uwrap: () => wrapping(), '@grafana/runtime': () => ({ getDataSourceSrv: () => undefined }) };
Module._load = (name, ...rest) => (Object.hasOwn(OTHERS, name) ? OTHERS[name]() : load(name, ...rest));
function wrapping() {
  const script = path.join(path.dirname(require.resolve('uwrap/package.json')), 'dist', 'uWrap.iife.js');
  return new Function(`${fs.readFileSync(script, 'utf8')}; return uWrap;`)();
}

// Grafana's font is Inter; the files of a weight cover different letters.
const FONT_FILES = path.join(path.dirname(require.resolve('@fontsource/inter/package.json')), 'files');
const FONTS = new Map();
for (const weight of [400, 500]) {
  const files = ['latin', 'latin-ext', 'greek', 'cyrillic'].map((name) => `inter-${name}-${weight}-normal.woff`);
  FONTS.set(weight, files.map((name) => fontkit.openSync(path.join(FONT_FILES, name))));
}
// Grafana turns contextual forms off, and a browser does so for the other ligatures where letters are spaced.
const FEATURES = { calt: false, liga: false, clig: false };
const widths = new Map();

/** The width of a text in pixels, with `spacing` pixels after each letter. */
function textWidth(text, size, weight = 400, spacing = 0) {
  const key = `${weight} ${text}`;
  let ems = widths.get(key);
  if (ems === undefined) {
    ems = 0;
    let run = '';
    let font = null;
    const finish = () => {
      ems += run === '' ? 0 : font.layout(run, FEATURES).advanceWidth / font.unitsPerEm;
      run = '';
    };
    for (const letter of text) {
      const fonts = FONTS.get(weight);
      const next = fonts.find((one) => one.hasGlyphForCodePoint(letter.codePointAt(0))) ?? fonts[0];
      if (next !== font) {
        finish();
        font = next;
      }
      run += letter;
    }
    finish();
    widths.set(key, ems);
  }
  return ems * size + [...text].length * spacing;
}

/** A canvas that measures and draws nothing. */
function canvasContext() {
  const known = {
    canvas: document.createElement('canvas'),
    font: '400 14px Inter',
    letterSpacing: '0px',
    measureText(text) {
      const [, weight, size] = /^(?:(\d+) )?([\d.]+)px/.exec(this.font);
      const letters = parseFloat(this.letterSpacing) || 0;
      return { width: textWidth(String(text), Number(size), Number(weight ?? 400) >= 500 ? 500 : 400, letters) };
    },
  };
  return new Proxy(known, { get: (target, name) => (name in target ? target[name] : () => ({ addColorStop() {} })) });
}
dom.window.HTMLCanvasElement.prototype.getContext = () => canvasContext();

const data = require('@grafana/data');
const library = (name, file) => {
  const found = path.join(path.dirname(require.resolve(`${name}/package.json`)), 'dist', 'cjs', file);
  return require(found); // by its path, as the package has no name for it
};
const tables = library('@grafana/ui', 'components/Table/TableNG/utils.cjs');
const { COLUMN, TABLE } = library('@grafana/ui', 'components/Table/TableNG/constants.cjs');
const { buildLayout } = library('@grafana/ui', 'components/BigValue/BigValueLayout.cjs');
const bars = library('@grafana/ui', 'components/BarGauge/BarGauge.cjs');
const { VizRepeater } = library('@grafana/ui', 'components/VizRepeater/VizRepeater.cjs');
const { UPlotConfigBuilder } = library('@grafana/ui', 'components/uPlot/config/UPlotConfigBuilder.cjs');
const { transformV2 } = library('@grafana/prometheus', 'result_transformer.cjs');
const uPlot = require('uplot');

const THEMES = new Map(['light', 'dark'].map((mode) => [mode, data.createTheme({ colors: { mode } })]));

// ---------------------------------------------------------------------------------------------------------------------
// What Grafana's application registers with its libraries

const item = (id, process, shouldApply, rest = {}) => ({
  id, path: id, name: id, process, shouldApply, editor: () => null, override: () => null, settings: {}, ...rest,
});
const always = () => true;
const numbers = (field) => field.type === data.FieldType.number;
data.standardFieldConfigEditorRegistry.setInit(() => [
  item('unit', data.stringOverrideProcessor, always),
  item('min', data.numberOverrideProcessor, numbers),
  item('max', data.numberOverrideProcessor, numbers),
  item('fieldMinMax', data.booleanOverrideProcessor, numbers),
  item('decimals', data.numberOverrideProcessor, numbers),
  item('displayName', data.displayNameOverrideProcessor, always, { settings: { expandTemplateVars: true } }),
  item('color', data.identityOverrideProcessor, always, {
    settings: { byValueSupport: true, preferThresholdsMode: true },
  }),
  item('noValue', data.stringOverrideProcessor, always),
  item('links', data.dataLinksOverrideProcessor, always),
  item('actions', data.identityOverrideProcessor, always),
  item('mappings', data.valueMappingsOverrideProcessor, (field) => field.type !== data.FieldType.time, {
    defaultValue: [],
  }),
  item('thresholds', data.thresholdsOverrideProcessor, always, {
    defaultValue: { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] },
  }),
  item('filterable', data.booleanOverrideProcessor, always),
]);
// some are published by two names
const TRANSFORMERS = new Map(Object.values(data.standardTransformers).map((one) => [one.id, one]));
data.standardTransformersRegistry.setInit(() =>
  [...TRANSFORMERS.values()].map((transformation) => ({
    id: transformation.id, name: transformation.name, transformation, editor: () => null,
  }))
);
data.locationUtil.initialize({
  config: { appSubUrl: '' },
  getVariablesUrlParams: () => ({}),
  getTimeRangeForUrl: () => ({ from: 'now-6h', to: 'now' }),
});

// The options of a field that a table knows, and what they are if nobody says. Not published; from its sources.
const TABLE_CUSTOM = new Map([
  ['minWidth', undefined], ['width', undefined], ['align', 'auto'], ['filterable', undefined], ['wrapText', undefined],
  ['wrapHeaderText', undefined], ['hideFrom.viz', undefined], ['footer.reducers', []],
  ['cellOptions', { type: 'auto' }], ['inspect', false], ['tooltip.field', undefined],
  ['tooltip.placement', undefined], ['styleField', undefined],
]);
const STANDARD = {
  timeseries: { color: { defaultValue: { mode: 'palette-classic' }, settings: { bySeriesSupport: true } } },
  'state-timeline': { color: { defaultValue: { mode: 'continuous-GrYlRd' }, settings: { byValueSupport: true } } },
};
const OPTIONS = {
  stat: {
    graphMode: 'area', colorMode: 'value', justifyMode: 'auto', textMode: 'auto', wideLayout: true,
    orientation: 'auto', reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
  },
  bargauge: {
    displayMode: 'gradient', showUnfilled: true, minVizWidth: 8, minVizHeight: 16, maxVizHeight: 300,
    valueMode: 'color', namePlacement: 'auto', sizing: 'auto', orientation: 'auto',
    reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
  },
  table: { frameIndex: 0, showHeader: true, showTypeIcons: false, cellHeight: 'sm', sortBy: [] },
};
/** Panels that fill their frame to the edge. */
const UNPADDED = new Set(['stat', 'geomap', 'canvas']);

/** The ids of a panel's `custom` options, dots where they are nested: all are taken for known ones. */
function customOptions(fieldConfig) {
  const found = new Set();
  for (const name of Object.keys(fieldConfig.defaults.custom ?? {})) {
    found.add(name);
  }
  for (const rule of fieldConfig.overrides) {
    for (const property of rule.properties.filter(({ id }) => id.startsWith('custom.'))) {
      found.add(property.id.slice('custom.'.length));
    }
  }
  return new Map([...found].map((name) => [name, undefined]));
}

function pluginOf(panel, fieldConfig) {
  const custom = panel.type === 'table' ? TABLE_CUSTOM : customOptions(fieldConfig);
  const plugin = new data.PanelPlugin(() => null);
  plugin.meta = { id: panel.type, name: panel.type };
  plugin.useFieldConfig({
    standardOptions: STANDARD[panel.type] ?? {},
    // a heatmap formats by its own options
    disableStandardOptions:
      panel.type === 'heatmap' ? Object.values(data.FieldConfigProperty).filter((name) => name !== 'links') : [],
    useCustomConfig: (builder) => {
      for (const [name, defaultValue] of custom) {
        builder.addCustomEditor({
          ...item(name, data.identityOverrideProcessor, always), defaultValue, category: ['custom'],
        });
      }
    },
  });
  plugin.setPanelOptions(() => {});
  return plugin;
}

/** What Grafana drops as unknown to this type of panel. */
function ignoredOptions(plugin, fieldConfig) {
  const known = (id) => plugin.fieldConfigRegistry.getIfExists(id) !== undefined;
  const found = [];
  const look = (value, id) => {
    if (known(id) || id === 'custom') {
      return true;
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      found.push(id);
      return false;
    }
    return Object.entries(value).map(([name, one]) => look(one, `${id}.${name}`)).some(Boolean);
  };
  for (const [name, value] of Object.entries(fieldConfig.defaults).filter(([id]) => id !== 'custom')) {
    look(value, name);
  }
  for (const [name, value] of Object.entries(fieldConfig.defaults.custom ?? {})) {
    look(value, `custom.${name}`);
  }
  for (const rule of fieldConfig.overrides) {
    found.push(...rule.properties.map(({ id }) => id).filter((id) => !known(id)));
  }
  return [...new Set(found)];
}

/** What Grafana makes of a table that was saved by an older version: it moves two options. */
function migrated(panel, fieldConfig) {
  if (panel.type !== 'table') {
    return fieldConfig;
  }
  const result = structuredClone(fieldConfig);
  const custom = result.defaults.custom;
  if (custom?.cellOptions?.wrapText !== undefined) {
    custom.wrapText = custom.cellOptions.wrapText;
    delete custom.cellOptions.wrapText;
  }
  if (custom?.hidden !== undefined) {
    custom.hideFrom = { viz: custom.hidden };
    delete custom.hidden;
  }
  for (const rule of result.overrides) {
    for (const property of [...rule.properties]) {
      if (property.id === 'custom.cellOptions' && property.value?.wrapText !== undefined) {
        rule.properties.push({ id: 'custom.wrapText', value: property.value.wrapText });
        delete property.value.wrapText;
      }
      if (property.id === 'custom.hidden') {
        property.id = 'custom.hideFrom.viz';
      }
    }
  }
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------
// Variables

const VARIABLE = /\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}/g;

function formatted(name, value, format) {
  const all = Array.isArray(value) ? value.map(String) : [String(value)];
  const strict = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
  switch (format) {
    case 'queryparam':
      return all.map((one) => `var-${name}=${strict(one)}`).join('&');
    case 'percentencode':
      return strict(all.length > 1 ? `{${all.join(',')}}` : all[0]);
    case 'uriencode':
      return encodeURI(all.length > 1 ? `{${all.join(',')}}` : all[0]);
    case 'text':
      return all.join(' + ');
    case 'csv':
    case 'raw':
      return all.join(',');
    default:
      return all.length > 1 ? `{${all.join(',')}}` : all[0];
  }
}

/** A path into an object: `fields.Alert`, `fields["Past target"]`, `fields[0]`. */
function at(object, dotted) {
  let value = object;
  for (const [, bare, quoted] of dotted.matchAll(/(?:\.|^)?([\w ]+)|\[\s*["']?(.*?)["']?\s*\]/g)) {
    value = value?.[bare ?? quoted];
  }
  return value;
}

function replacer(variables) {
  return (text, scoped, format) =>
    (text ?? '').replace(VARIABLE, (match, plain, square, squareFormat, curly, fieldPath, curlyFormat) => {
      const name = plain ?? square ?? curly;
      const how = squareFormat ?? curlyFormat ?? format;
      const context = scoped?.__dataContext?.value;
      if (name === '__data' && fieldPath !== undefined) {
        if (context?.rowIndex === undefined) {
          return match;
        }
        const { frame, rowIndex } = context;
        const fields = data.getFieldDisplayValuesProxy({ frame, rowIndex });
        const value = at({ name: frame.name, refId: frame.refId, fields }, fieldPath);
        return value === undefined ? '' : formatted(name, value, how);
      }
      if (name === '__value' && context?.rowIndex !== undefined) {
        const raw = context.field.values[context.rowIndex];
        const shown = data.formattedValueToString(context.field.display(raw));
        return formatted(name, fieldPath === 'raw' ? raw : shown, how);
      }
      if (name === '__field' && context !== undefined) {
        const { field, frame } = context;
        if (fieldPath === 'name' || fieldPath === 'displayName') {
          return formatted(name, data.getFieldDisplayName(field, frame, context.data), how);
        }
        return formatted(name, at({ labels: field.labels ?? {} }, fieldPath ?? '') ?? '', how);
      }
      return name in variables ? formatted(name, variables[name], how) : match;
    });
}

// ---------------------------------------------------------------------------------------------------------------------
// From Prometheus' answers to frames, as Grafana's server does. What a running Grafana 9 answers at /api/ds/query was
// compared, for vectors, matrices, scalars and NaN, with each kind of legend: the fields' names, types, labels,
// `interval` and `displayNameFromDS`, and `meta.custom.resultType`, are the same. The rest differs between versions and
// is from the sources: in 12 the frames of a vector are `numeric-multi`, no longer `timeseries-multi`; a value is
// called by its metric's name, where it has one; the frame has no name, it was `displayNameFromDS`; only a target's
// first frame has `executedQueryString`; an empty answer gives one frame without fields, it gave none.

const LEGEND = /\{\{\s*(.+?)\s*\}\}/g;

function legendName(target, expr, labels) {
  const legend = target.legendFormat ?? '';
  let name;
  if (legend === '__auto') {
    name = Object.keys(labels).length > 0 ? '' : '{}';
  } else if (legend !== '') {
    name = legend.replace(LEGEND, (_match, label) => labels[label] ?? '');
  } else {
    const { __name__: metric, ...others } = labels;
    const pairs = Object.keys(others).sort().map((label) => `${label}=${JSON.stringify(others[label])}`);
    name = pairs.length > 0 ? `${metric ?? ''}{${pairs.join(', ')}}` : (metric ?? '{}');
  }
  return name === '{}' ? expr : name;
}

function goDuration(seconds) {
  const rest = Math.round((seconds % 60) * 1000) / 1000;
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}s`;
}

const sample = (text) => ({ '+Inf': Infinity, '-Inf': -Infinity, NaN: NaN })[text] ?? Number(text);

function framesOf(target, answer) {
  const step = answer.step ?? 15;
  const { resultType, result } = answer.data;
  const single = resultType === 'scalar' || resultType === 'string';
  const series = single ? [{ metric: {}, value: result }] : result;
  const frames = series.map(({ metric, value, values }) => {
    const points = values ?? [value];
    const name = legendName(target, answer.expr, metric);
    const text = resultType === 'string';
    return data.createDataFrame({
      refId: target.refId,
      meta: {
        type: resultType === 'matrix' ? 'timeseries-multi' : 'numeric-multi',
        typeVersion: [0, 1],
        custom: { resultType },
      },
      fields: [
        {
          name: 'Time', type: data.FieldType.time, config: { interval: step * 1000 },
          values: points.map(([seconds]) => Math.trunc(seconds * 1000)),
        },
        {
          name: metric.__name__ ?? 'Value', type: text ? data.FieldType.string : data.FieldType.number,
          labels: Object.fromEntries(Object.entries(metric).sort()), // as Go writes a map
          config: name === '' ? {} : { displayNameFromDS: name },
          values: points.map(([, shown]) => (text ? shown : sample(shown))),
        },
      ],
    });
  });
  if (frames.length === 0) {
    frames.push(data.createDataFrame({ refId: target.refId, meta: {}, fields: [] }));
  }
  frames[0].meta.executedQueryString = `Expr: ${answer.expr}\nStep: ${goDuration(step)}`;
  return frames;
}

function queried(panel, answers) {
  const targets = (panel.targets ?? []).filter((target) => !target.hide);
  const frames = targets.flatMap((target) =>
    answers.filter((answer) => answer.ref_id === target.refId).flatMap((answer) => framesOf(target, answer))
  );
  return transformV2({ data: frames }, { targets, app: 'dashboard' }, {}).data;
}

function transformed(panel, frames, replace) {
  const steps = panel.transformations ?? [];
  const unknown = steps.find(({ id }) => data.standardTransformersRegistry.getIfExists(id) === undefined);
  if (unknown !== undefined) {
    throw new Error(`the transformation ${unknown.id} is not among those that Grafana publishes`);
  }
  let result;
  data.transformDataFrame(steps, frames, { interpolate: replace }).subscribe({
    next: (value) => (result = value),
    error: (error) => { throw error; },
  });
  if (result === undefined) {
    throw new Error('a transformation did not end at once');
  }
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------
// Sizes

const COLUMNS = 24;
const ROW = 30;
const GAP = 8;
/** The page's padding, left and right. */
const PAGE = 16;
/** The navigation, docked in windows from `xl` on; `MENU_WIDTH` in Grafana's sources. */
const NAVIGATION = 300;
/** A thin scroll bar in a desktop browser; measured in Chromium. */
const SCROLL_BAR = 10;
const BORDER = 1;

function panelSize(panel, drawing, theme) {
  const docked = !drawing.kiosk && drawing.window >= theme.breakpoints.values.xl;
  const grid = drawing.window - 2 * PAGE - (docked ? NAVIGATION : 0);
  const column = (grid - GAP * (COLUMNS - 1)) / COLUMNS;
  const { w, h } = panel.gridPos;
  const width = Math.round(column * w + GAP * (w - 1));
  const height = Math.round(ROW * h + GAP * (h - 1));
  const padding = UNPADDED.has(panel.type) ? 0 : theme.components.panel.padding * theme.spacing.gridSize;
  const header = panel.title ? theme.components.panel.headerHeight * theme.spacing.gridSize : 0;
  return {
    width, height,
    innerWidth: width - 2 * padding - 2 * BORDER,
    innerHeight: height - header - 2 * padding - 2 * BORDER,
  };
}

const pixels = (text) => Number.parseFloat(text);

/** Extra space after each letter: Grafana's themes say it in parts of the letters' size. */
const spacing = (variant, size) => pixels(variant.letterSpacing ?? '0') * size;

function titleOf(panel, size, theme, replace) {
  const text = replace(panel.title ?? '', {}, 'text');
  const { h6 } = theme.typography;
  const unit = theme.spacing.gridSize;
  const letters = pixels(h6.fontSize) * (h6.fontSize.endsWith('rem') ? theme.typography.htmlFontSize : 1);
  const icon = 16 + 2 * unit; // each sign beside the title: the picture and its padding
  const signs = [panel.description, panel.links?.length > 0].filter(Boolean).length;
  const menu = 14 + 2 * unit; // there from the start, seen when the pointer is over the panel
  const gaps = (signs > 0 ? 3 : 2) * unit;
  return {
    text,
    needs: textWidth(text, letters, 500, spacing(h6, letters)),
    has: size.width - 2 * BORDER - 1.5 * unit - signs * icon - menu - gaps,
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Panels

function tableOf(panel, options, fieldConfig, series, size, theme) {
  data.cacheFieldDisplayNames(series);
  const fields = series.some((frame) => frame.fields.length > 0);
  if (series.length === 0 || !fields) {
    return null;
  }
  const chooser = series.length > 1;
  const index = options.frameIndex > 0 && options.frameIndex < series.length ? options.frameIndex : 0;
  const frame = series[index];
  const height = size.innerHeight - (chooser ? theme.spacing.gridSize * (theme.components.height.md + 1) : 0);
  const visible = tables.getVisibleFields(frame.fields);
  const sorting = (options.sortBy ?? [])
    .filter(({ displayName }) => frame.fields.some((field) => tables.getDisplayName(field) === displayName))
    .map(({ displayName, desc }) => ({ columnKey: displayName, direction: desc ? 'DESC' : 'ASC' }));
  const rows = tables.applySort(tables.frameToRecords(frame), frame.fields, sorting);
  const order = rows.map((row) => row.__index);

  const body = theme.typography.body;
  const letters = theme.typography.fontSize;
  const apart = spacing(body, letters);
  const canvas = tables.createTypographyContext(letters, theme.typography.fontFamily, apart);
  const lowest = tables.getDefaultRowHeight(theme, visible, options.cellHeight);
  const edges = 2 * TABLE.CELL_PADDING + TABLE.BORDER_RIGHT;
  const sorted = (field) => sorting.some(({ columnKey }) => columnKey === tables.getDisplayName(field));
  const ICON = 16 + 4; // as the header's height is computed
  const icons = (field) =>
    (field.config.custom?.filterable ? ICON : 0) + (sorted(field) ? ICON : 0) + (options.showTypeIcons ? ICON : 0);

  const measured = (available) => {
    const columns = tables.computeColWidths(visible, available).map((width) => Math.max(width, COLUMN.MIN_WIDTH));
    const measurers = tables.buildCellHeightMeasurers(visible, canvas);
    const inner = columns.map((width) => width - edges);
    const rowHeights = order.map((row) => tables.getRowHeight(visible, row, inner, lowest, measurers));
    const headers = columns.map((width, i) => Math.floor(width - edges - icons(visible[i])) - 1);
    const headerMeasurers = tables.buildHeaderHeightMeasurers(visible, canvas);
    const header = !options.showHeader
      ? 0
      : tables.getRowHeight(
          visible, -1, headers, TABLE.HEADER_HEIGHT, headerMeasurers, TABLE.LINE_HEIGHT, TABLE.CELL_PADDING
        );
    const total = rowHeights.reduce((sum, one) => sum + one, header);
    const overflow = columns.reduce((sum, one) => sum + one, 0) > available + 0.5;
    return { columns, rowHeights, header, total, overflow };
  };
  let available = size.innerWidth;
  let result = measured(available);
  const scrolls = ({ total, overflow }) => total > height - (overflow ? SCROLL_BAR : 0);
  const vertical = scrolls(result);
  if (vertical) {
    available -= SCROLL_BAR;
    result = measured(available);
  }
  let room = height - result.header - (result.overflow ? SCROLL_BAR : 0);
  const whole = result.rowHeights.filter((one) => (room -= one) >= 0).length;
  return {
    frame: index,
    chooser,
    order,
    width: available,
    overflow: result.overflow,
    scrolls: vertical,
    rowsInView: whole,
    headerHeight: result.header,
    rowHeights: result.rowHeights,
    columns: visible.map((field, i) => {
      const name = tables.getDisplayName(field);
      const headerWraps = Boolean(field.config.custom?.wrapHeaderText);
      const cellWraps = tables.shouldTextWrap(field);
      const parts = (text, wraps) => (wraps ? text.split(/\s+|(?<=-)/) : [text]);
      const widest = (text, weight, wraps) =>
        Math.max(0, ...parts(text, wraps).map((part) => textWidth(part, letters, weight, apart)));
      const texts = field.values.map((value) => data.formattedValueToString(field.display(value)));
      const last = i === visible.length - 1 ? 2 * TABLE.CELL_PADDING : edges;
      return {
        name,
        width: result.columns[i],
        align: tables.getAlignment(field),
        headerNeeds: widest(name, 500, headerWraps) + icons(field) + last,
        cellNeeds: Math.max(0, ...texts.map((text) => widest(text, 400, cellWraps))) + last,
        longest: texts.reduce(
          (found, text) => (widest(text, 400, cellWraps) > widest(found, 400, cellWraps) ? text : found), ''
        ),
        headerWraps,
        cellWraps,
      };
    }),
  };
}

/** Where Grafana puts several values in a panel, by its own repeater. */
function repeated(values, props) {
  const placed = [];
  const repeater = new VizRepeater({
    ...VizRepeater.defaultProps, ...props, getValues: () => values, renderValue: (one) => placed.push(one),
  });
  repeater.render();
  return placed;
}

const linksOf = (links) => links.map(({ title, href, target }) => ({ title: title ?? '', url: href ?? '', target }));

function readings(options, fieldConfig, series, theme, replaceVariables, timeZone) {
  const reduceOptions = options.reduceOptions;
  return data.getFieldDisplayValues({
    fieldConfig, reduceOptions, replaceVariables, theme, data: series, timeZone,
    sparkline: options.graphMode !== undefined && options.graphMode !== 'none',
  });
}

function statOf(panel, options, fieldConfig, values, size, theme) {
  const auto = options.textMode === 'auto' && (fieldConfig.defaults.displayName || !panel.title);
  const textMode = auto ? 'value_and_name' : options.textMode;
  return repeated(values, {
    getAlignmentFactors: data.getDisplayValueAlignmentFactors, width: size.innerWidth, height: size.innerHeight,
    itemSpacing: 3, autoGrid: true, orientation: options.orientation,
  }).map(({ value, width, height, alignmentFactors, count, orientation }) => {
    const layout = buildLayout({
      value: value.display, count, sparkline: value.sparkline, colorMode: options.colorMode, theme, textMode,
      graphMode: options.graphMode, justifyMode: options.justifyMode, alignmentFactors, text: options.text,
      parentOrientation: orientation, width, height, disableWideLayout: !options.wideLayout,
    });
    const text = data.formattedValueToString(layout.textValues);
    const name = layout.textValues.title ?? '';
    const { body } = theme.typography;
    const wide = (one, letters, weight) => textWidth(one, letters, weight, spacing(body, letters));
    const style = layout.getPanelStyles();
    return {
      name, text, value: value.display.numeric, width, height,
      color: value.display.color ?? null,
      background: style.background ?? null,
      ink: layout.getValueStyles().color ?? null,
      textSize: layout.valueFontSize,
      nameSize: layout.titleFontSize,
      textNeeds: wide(text, layout.valueFontSize, 500),
      nameNeeds: wide(name, layout.titleFontSize, 400),
      has: layout.maxTextWidth,
      nameHas: layout.maxTextWidth,
      links: linksOf(value.hasLinks ? value.getLinks({}) : []),
    };
  });
}

function barsOf(options, fieldConfig, values, size, theme) {
  const automatic = options.sizing === 'auto';
  const placed = repeated(values, {
    getAlignmentFactors: data.getDisplayValueAlignmentFactors, width: size.innerWidth, height: size.innerHeight,
    itemSpacing: options.displayMode === 'lcd' ? 2 : 10, orientation: options.orientation,
    minVizWidth: automatic ? 8 : options.minVizWidth, minVizHeight: automatic ? 16 : options.minVizHeight,
    maxVizHeight: automatic ? 300 : options.maxVizHeight,
  });
  const { body } = theme.typography;
  return placed.map(({ value, width, height, alignmentFactors, count, orientation }) => {
    const alone = count === 1 && !fieldConfig.defaults.displayName;
    const display = alone ? { ...value.display, title: undefined } : value.display;
    const props = {
      value: display, width, height, orientation, field: value.field, text: options.text, theme,
      displayMode: options.displayMode, alignmentFactors: count > 1 ? alignmentFactors : undefined,
      showUnfilled: options.showUnfilled, valueDisplayMode: options.valueMode, namePlacement: options.namePlacement,
      itemSpacing: 10,
    };
    const style = bars.getTitleStyles(props).title;
    const drawn = bars.getBasicAndGradientStyles(props);
    const name = display.title ?? '';
    const text = data.formattedValueToString(display);
    const nameSize = pixels(style.fontSize);
    const textSize = drawn.value.fontSize;
    const wide = (one, letters) => textWidth(one, letters, 400, spacing(body, letters));
    const left = style.paddingRight !== undefined;
    const padding = pixels(drawn.value.paddingLeft ?? '0') + pixels(drawn.value.paddingRight ?? '0');
    return {
      name, text, value: display.numeric, width, height,
      color: display.color ?? null, background: drawn.bar.background ?? null, ink: drawn.value.color ?? null,
      textSize, nameSize,
      textNeeds: wide(text, textSize),
      nameNeeds: name === '' ? 0 : wide(name, nameSize),
      has: pixels(drawn.value.maxWidth) - padding,
      nameHas: left ? pixels(style.width) - pixels(style.paddingRight) : width,
      links: linksOf(value.hasLinks ? value.getLinks({}) : []),
    };
  });
}

/** The texts at a chart's left axis, from uPlot itself with the scale and axis that Grafana's builder makes. */
async function ticksOf(series, size, theme, timeZone, answers) {
  const builder = new UPlotConfigBuilder(timeZone);
  const range = answers.find(({ start }) => start !== undefined && start !== null);
  const from = (range?.start ?? 0) * 1000;
  const to = (range?.end ?? 1) * 1000;
  builder.addScale({ scaleKey: 'x', orientation: 0, direction: 1, isTime: true, range: () => [from, to] });
  builder.addAxis({ scaleKey: 'x', isTime: true, placement: 'bottom', timeZone, theme });
  const drawn = series.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === data.FieldType.time);
    return time === undefined ? [] : frame.fields.filter(numbers).map((field) => ({ time, field }));
  });
  if (drawn.length === 0) {
    return [];
  }
  for (const { field } of drawn) {
    const custom = field.config.custom ?? {};
    const unit = field.config.unit ?? '__fixed'; // one axis for each unit
    builder.addScale({
      scaleKey: unit, orientation: 1, direction: 1, distribution: custom.scaleDistribution?.type,
      log: custom.scaleDistribution?.log, min: field.config.min, max: field.config.max, softMin: custom.axisSoftMin,
      softMax: custom.axisSoftMax, centeredZero: custom.axisCenteredZero, decimals: field.config.decimals,
    });
    builder.addAxis({
      scaleKey: unit, placement: custom.axisPlacement ?? 'auto', theme, decimals: field.config.decimals,
      formatValue: (value, decimals) => data.formattedValueToString(field.display(value, decimals)),
    });
    builder.addSeries({ scaleKey: unit, theme, drawStyle: 'line', lineColor: '#000', lineWidth: 1, show: true });
  }
  const times = [...new Set(drawn.flatMap(({ time }) => time.values))].sort((a, b) => a - b);
  const columns = drawn.map(({ time, field }) => {
    const known = new Map(time.values.map((one, i) => [one, field.values[i]]));
    return times.map((one) => known.get(one) ?? null);
  });
  const legend = 36; // one line below the chart
  const config = builder.getConfig();
  const plot = new uPlot(
    { ...config, width: size.innerWidth, height: size.innerHeight - legend, legend: { show: false }, ms: 1 },
    [times, ...columns],
    document.createElement('div')
  );
  await Promise.resolve(); // uPlot lays out after the current task
  await Promise.resolve();
  const result = plot.axes.slice(1).map((axis) => (axis._values ?? []).filter((text) => text !== null && text !== ''));
  plot.destroy();
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------

function frameOut(frame, series) {
  return {
    name: data.getFrameDisplayName(frame),
    refId: frame.refId ?? '',
    length: frame.length,
    kind: frame.meta?.type ?? '',
    fields: frame.fields.map((field) => {
      const shown = field.values.map((value) => field.display(value));
      return {
        name: data.getFieldDisplayName(field, frame, series),
        rawName: field.name,
        kind: field.type,
        labels: field.labels ?? {},
        values: [...field.values],
        texts: shown.map((one) => data.formattedValueToString(one)),
        colors: shown.map((one) => one.color ?? null),
        color: numbers(field) ? data.getFieldSeriesColor(field, frameOut.theme).color : null,
        custom: field.config.custom ?? {},
        links: field.values.map((_value, row) => linksOf(tables.getCellLinks(field, row) ?? [])),
      };
    }),
  };
}

async function draw(drawing) {
  const { panel, answers } = drawing;
  const theme = THEMES.get(drawing.theme);
  frameOut.theme = theme;
  const replace = replacer(drawing.variables);
  const size = panelSize(panel, drawing, theme);
  const saved = { defaults: panel.fieldConfig?.defaults ?? {}, overrides: panel.fieldConfig?.overrides ?? [] };
  const current = migrated(panel, saved);
  const plugin = pluginOf(panel, current);
  const ignored = ignoredOptions(plugin, current);
  const { fieldConfig } = data.getPanelOptionsWithDefaults({
    plugin, currentOptions: {}, currentFieldConfig: structuredClone(current), isAfterPluginChange: false,
  });
  const options = { ...(OPTIONS[panel.type] ?? {}), ...(panel.options ?? {}) };
  const series = data.applyFieldOverrides({
    data: transformed(panel, queried(panel, answers), replace), fieldConfig, theme, timeZone: drawing.timezone,
    fieldConfigRegistry: plugin.fieldConfigRegistry, replaceVariables: replace,
  });
  const out = {
    kind: panel.type, ...size, title: titleOf(panel, size, theme, replace), ignored, readings: [], table: null,
    legend: [], ticks: [], scrolls: false, noData: null,
  };
  const nothing = series.length === 0 || series.every((frame) => frame.length === 0);
  const noValue = fieldConfig.defaults.noValue ?? 'No data';
  if (panel.type === 'table') {
    out.table = tableOf(panel, options, fieldConfig, series, size, theme);
    out.noData = out.table === null ? noValue : null;
  } else if (panel.type === 'stat' || panel.type === 'bargauge') {
    const values = readings(options, fieldConfig, series, theme, replace, drawing.timezone);
    out.readings =
      panel.type === 'stat'
        ? statOf(panel, options, fieldConfig, values, size, theme)
        : barsOf(options, fieldConfig, values, size, theme);
    const spacingOfBars = 10;
    const total = out.readings.reduce((sum, one) => sum + one.height + spacingOfBars, -spacingOfBars);
    out.scrolls = panel.type === 'bargauge' && total > size.innerHeight + 0.5;
  } else {
    out.noData = nothing ? noValue : null;
    out.legend = series.flatMap((frame) =>
      frame.fields
        .filter((field) => field.type !== data.FieldType.time)
        .map((field) => data.getFieldDisplayName(field, frame, series))
    );
    out.ticks = panel.type === 'timeseries' && !nothing
      ? await ticksOf(series, size, theme, drawing.timezone, answers)
      : [];
  }
  out.frames = series.map((frame) => frameOut(frame, series));
  return out;
}

/** The names of our own objects as Python has them. */
function renamed(value) {
  if (Array.isArray(value)) {
    return value.map(renamed);
  }
  if (value === null || typeof value !== 'object') {
    return value;
  }
  const theirs = new Set(['labels', 'custom']);
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), theirs.has(name) ? one : renamed(one),
    ])
  );
}

/** JSON as Python reads it: with NaN and the infinities, which JSON itself lacks. */
function written(value) {
  const mark = '\u0001';
  const text = JSON.stringify(value, (_key, one) =>
    typeof one === 'number' && !Number.isFinite(one) ? `${mark}${one}` : one
  );
  return text.replaceAll(/"\\u0001(-?\w+)"/g, '$1');
}

async function main() {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
  }
  const drawn = [];
  for (const drawing of JSON.parse(text).drawings) {
    try {
      drawn.push(await draw(drawing));
    } catch (error) {
      throw new Error(`${drawing.panel.title ?? drawing.panel.type}: ${error.message}`, { cause: error });
    }
  }
  await new Promise((done) => process.stdout.write(written(renamed(drawn)), done));
  process.exit(0); // the browser's timers would keep it alive
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
