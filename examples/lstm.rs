//! An LSTM layer with its gradients, in Rust, that answers JSON lines: rustc -O lstm.rs

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write as _};

/// Numbers with the lengths of their axes, the last one running fastest.
#[derive(Clone)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Array {
    fn zeros(shape: &[usize]) -> Array {
        Array { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] }
    }
}

type Arrays = HashMap<String, Array>;

// The layer: W is m×(n+m) over [x; h], rows by unit.

const GATES: [&str; 4] = ["f", "i", "c", "o"];
const CANDIDATE: usize = 2;

fn sigmoid(a: f64) -> f64 {
    1.0 / (1.0 + (-a).exp())
}

/// What a row has computed at one step: z = [x; h], the gates f, i, c̃, o by unit, and c before and after.
struct Row {
    z: Vec<f64>,
    gates: [Vec<f64>; 4],
    before: Vec<f64>,
    c: Vec<f64>,
}

struct Layer<'a> {
    weights: [&'a [f64]; 4],
    biases: [&'a [f64]; 4],
    x: &'a Array,
    h0: &'a Array,
    c0: &'a Array,
}

impl<'a> Layer<'a> {
    fn new(params: &'a Arrays, arrays: &'a Arrays) -> Option<Layer<'a>> {
        let mut layer = Layer {
            weights: [&[]; 4],
            biases: [&[]; 4],
            x: arrays.get("x")?,
            h0: arrays.get("h0")?,
            c0: arrays.get("c0")?,
        };
        for (k, gate) in GATES.iter().enumerate() {
            layer.weights[k] = &params.get(&format!("W_{gate}"))?.data;
            layer.biases[k] = &params.get(&format!("b_{gate}"))?.data;
        }
        Some(layer)
    }

    /// Steps, rows, inputs, units.
    fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.x.shape[0], self.x.shape[1], self.x.shape[2], self.h0.shape[1])
    }

    /// Every row of every step, and h of every row of every step.
    fn run(&self) -> (Vec<Row>, Vec<f64>) {
        let (steps, rows, n, m) = self.sizes();
        let (mut done, mut y): (Vec<Row>, Vec<f64>) = (Vec::new(), Vec::new());
        for at in 0..steps * rows {
            let (h, c) = if at < rows {
                (&self.h0.data[at * m..][..m], &self.c0.data[at * m..][..m])
            } else {
                (&y[(at - rows) * m..][..m], &done[at - rows].c[..])
            };
            let z = [&self.x.data[at * n..][..n], h].concat();
            let gates = [0, 1, 2, 3].map(|k| {
                let rows = self.weights[k].chunks(n + m).zip(self.biases[k]);
                rows.map(|(w, b)| {
                    let a = b + w.iter().zip(&z).map(|(w, z)| w * z).sum::<f64>();
                    if k == CANDIDATE { a.tanh() } else { sigmoid(a) }
                })
                .collect::<Vec<f64>>()
            });
            let before = c.to_vec();
            let c: Vec<f64> = (0..m).map(|j| gates[0][j] * before[j] + gates[1][j] * gates[2][j]).collect();
            y.extend((0..m).map(|j| gates[3][j] * c[j].tanh()));
            done.push(Row { z, gates, before, c });
        }
        (done, y)
    }

    fn forward(&self) -> Vec<(&'static str, Array)> {
        let (steps, rows, _, m) = self.sizes();
        let (done, y) = self.run();
        let h = y[y.len() - rows * m..].to_vec();
        let c = done[done.len() - rows..].iter().flat_map(|row| row.c.clone()).collect();
        vec![
            ("y", Array { shape: vec![steps, rows, m], data: y }),
            ("h", Array { shape: vec![rows, m], data: h }),
            ("c", Array { shape: vec![rows, m], data: c }),
        ]
    }

    /// The gradients of the weights, of the biases, and of x, h0 and c0.
    fn backward(&self, dy: &Array, dh: &Array, dc: &Array) -> ([Array; 4], [Array; 4], [Array; 3]) {
        let (steps, rows, n, m) = self.sizes();
        let mut dw = [(); 4].map(|_| Array::zeros(&[m, n + m]));
        let mut db = [(); 4].map(|_| Array::zeros(&[m]));
        let (mut dx, mut dh, mut dc) = (Array::zeros(&[steps, rows, n]), dh.clone(), dc.clone());
        let (done, _) = self.run();
        for at in (0..steps * rows).rev() {
            let Row { z, gates: [f, i, candidate, o], before, c } = &done[at];
            let row = at % rows * m;
            let mut dz = vec![0.0; n + m];
            for j in 0..m {
                // Down to this step, dh and dc hold what arrives here from the step after.
                let squashed = c[j].tanh();
                let dh_j = dy.data[at * m + j] + dh.data[row + j];
                let dc_j = dc.data[row + j] + dh_j * o[j] * (1.0 - squashed * squashed);
                dc.data[row + j] = dc_j * f[j];
                let da = [
                    dc_j * before[j] * f[j] * (1.0 - f[j]),
                    dc_j * candidate[j] * i[j] * (1.0 - i[j]),
                    dc_j * i[j] * (1.0 - candidate[j] * candidate[j]),
                    dh_j * squashed * o[j] * (1.0 - o[j]),
                ];
                for (k, d) in da.iter().enumerate() {
                    db[k].data[j] += d;
                    for (column, value) in z.iter().enumerate() {
                        dw[k].data[j * (n + m) + column] += d * value;
                        dz[column] += d * self.weights[k][j * (n + m) + column];
                    }
                }
            }
            dx.data[at * n..][..n].copy_from_slice(&dz[..n]);
            dh.data[row..][..m].copy_from_slice(&dz[n..]);
        }
        (dw, db, [dx, dh, dc])
    }
}

// Messages: JSON without null, true and false, which no request has; arrays are base64 of little-endian bytes.

enum Value {
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(HashMap<String, Value>),
}

impl Value {
    fn number(&self) -> Option<f64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    fn object(&self) -> Option<&HashMap<String, Value>> {
        if let Value::Object(object) = self { Some(object) } else { None }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        Some(self.text[self.at])
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then(|| self.at += 1)
    }

    fn value(&mut self) -> Option<Value> {
        match self.next()? {
            b'"' => self.string().map(Value::Text),
            b'[' => self.items(b']', Reader::value).map(Value::List),
            b'{' => {
                let pairs = self.items(b'}', |reader| {
                    let key = reader.string()?;
                    reader.take(b':')?;
                    Some((key, reader.value()?))
                })?;
                Some(Value::Object(pairs.into_iter().collect()))
            }
            _ => {
                let rest = &self.text[self.at..];
                let length = rest.iter().take_while(|byte| b"+-.0123456789eE".contains(byte)).count();
                self.at += length;
                std::str::from_utf8(&rest[..length]).ok()?.parse().ok().map(Value::Number)
            }
        }
    }

    fn items<T>(&mut self, end: u8, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut found = Vec::new();
        self.at += 1;
        while self.next()? != end {
            if !found.is_empty() {
                self.take(b',')?;
            }
            found.push(item(self)?);
        }
        self.at += 1;
        Some(found)
    }

    /// Texts of requests are names and base64, in which nothing is escaped.
    fn string(&mut self) -> Option<String> {
        self.take(b'"')?;
        let length = self.text[self.at..].iter().position(|&byte| byte == b'"')?;
        let text = String::from_utf8(self.text[self.at..][..length].to_vec()).ok()?;
        self.at += length + 1;
        Some(text)
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, k| bits << 8 | u32::from(*part.get(k).unwrap_or(&0)));
        for k in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * k) & 63) as usize];
            text.push(if k <= part.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0;
        for k in 0..4 {
            let digit = part.get(k).map_or(Some(0), |byte| DIGITS.iter().position(|digit| digit == byte))?;
            bits = bits << 6 | digit;
        }
        bytes.extend([bits >> 16, bits >> 8, bits].map(|byte| byte as u8).iter().take(part.len() - 1));
    }
    Some(bytes)
}

fn array_in(value: &Value) -> Option<Array> {
    let object = value.object()?;
    let shape = match object.get("shape")? {
        Value::List(sizes) => sizes.iter().map(|size| Some(size.number()? as usize)),
        _ => return None,
    };
    let bytes = decoded(object.get("data")?.text()?)?;
    let data = bytes.chunks_exact(8).map(|number| f64::from_le_bytes(number.try_into().unwrap()));
    Some(Array { shape: shape.collect::<Option<_>>()?, data: data.collect() })
}

fn arrays_in(request: &HashMap<String, Value>, key: &str) -> Option<Arrays> {
    request.get(key)?.object()?.iter().map(|(name, value)| Some((name.clone(), array_in(value)?))).collect()
}

fn written<'a>(arrays: impl IntoIterator<Item = (String, &'a Array)>) -> String {
    let mut text = String::new();
    for (name, Array { shape, data }) in arrays {
        let bytes: Vec<u8> = data.iter().flat_map(|number| number.to_le_bytes()).collect();
        let comma = if text.is_empty() { "" } else { "," };
        write!(text, r#"{comma}"{name}":{{"shape":{shape:?},"data":"{}"}}"#, encoded(&bytes)).unwrap();
    }
    text
}

fn answer(request: &HashMap<String, Value>) -> Option<String> {
    let call = request.get("call")?.text()?;
    if call == "hello" {
        return Some(r#""protocol":1,"gradients":true,"encoding":"base64""#.into());
    }
    let (params, arrays) = (arrays_in(request, "params")?, arrays_in(request, "arrays")?);
    let layer = Layer::new(&params, &arrays)?;
    if call == "forward" {
        let outputs = layer.forward();
        return Some(format!(r#""arrays":{{{}}}"#, written(outputs.iter().map(|(name, a)| (name.to_string(), a)))));
    }
    let (dw, db, others) = layer.backward(arrays.get("dy")?, arrays.get("dh")?, arrays.get("dc")?);
    let named = |letter: &'static str| GATES.iter().map(move |gate| format!("{letter}_{gate}"));
    let dparams = written(named("W").zip(&dw).chain(named("b").zip(&db)));
    let others = written(["dx", "dh0", "dc0"].map(String::from).into_iter().zip(&others));
    Some(format!(r#""dparams":{{{dparams}}},"arrays":{{{others}}}"#))
}

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let value = Reader { text: line.as_bytes(), at: 0 }.value();
        let request = value.as_ref().and_then(Value::object);
        let id = request.and_then(|request| request.get("id")?.number()).unwrap_or(0.0);
        let said = request.and_then(answer).unwrap_or_else(|| r#""error":{"message":"this is no request that I know"}"#.into());
        println!(r#"{{"id":{id},{said}}}"#);
        io::stdout().flush()?;
    }
    Ok(())
}
