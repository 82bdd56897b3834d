// Writes JSON, for the harness alone.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

class Json {
  public:
    Json& Open(char Bracket) { return Comma(), Out += Bracket, bFirst = true, *this; }
    Json& Close(char Bracket) { return Out += Bracket, bFirst = false, *this; }
    Json& Key(const std::string& Name) { return String(Name), Out += ':', bFirst = true, *this; }
    Json& String(const std::string& Value) {
        Comma();
        Out += '"';
        for (const char Char : Value) {
            if (Char == '"' || Char == '\\') Out += '\\';
            Out += Char == '\n' ? ' ' : Char;
        }
        return Out += '"', *this;
    }
    Json& Number(double Value) {
        char Digits[40];
        std::snprintf(Digits, sizeof(Digits), "%.17g", Value);
        return Comma(), Out += std::isfinite(Value) ? Digits : "null", *this;
    }
    template <typename T>
    Json& Numbers(const std::vector<T>& Values) {
        Open('[');
        for (const T& Value : Values) Number(static_cast<double>(Value));
        return Close(']');
    }
    Json& Strings(const std::vector<std::string>& Values) {
        Open('[');
        for (const std::string& Value : Values) String(Value);
        return Close(']');
    }
    const std::string& Text() const { return Out; }

  private:
    void Comma() {
        if (!bFirst) Out += ',';
        bFirst = false;
    }
    std::string Out;
    bool bFirst = true;
};
