// Stand-in for tests, see README.md: TArray, TMap, TPair.
#pragma once

#include <algorithm>
#include <map>
#include <type_traits>
#include <vector>

#include "Stub/Types.h"

#if VISAVIS_STUB_UE_MINOR >= 5
enum class EAllowShrinking : uint8 { No, Yes };
#endif

template <typename T>
class TArray {
  public:
    TArray() = default;
    TArray(std::initializer_list<T> Values) : Items(Values) {}
    int32 Num() const { return static_cast<int32>(Items.size()); }
    bool IsEmpty() const { return Items.empty(); }
    void Reserve(int32 Count) { Items.reserve(static_cast<size_t>(Count)); }
    int32 Add(const T& Value) { return Items.push_back(Value), Num() - 1; }
    int32 Add(T&& Value) { return Items.push_back(std::move(Value)), Num() - 1; }
    void Append(const T* Values, int32 Count) { Items.insert(Items.end(), Values, Values + Count); }
    void Empty() { Items.clear(); }
    void RemoveAt(int32 Index) { Items.erase(Items.begin() + Index); }
    void Reset() { Items.clear(); }
    void SetNum(int32 Count) { Items.resize(static_cast<size_t>(Count)); }
    /** Sets what is new to zero, as the engine's. */
    void SetNumZeroed(int32 Count) { Items.resize(static_cast<size_t>(Count)); }
#if VISAVIS_STUB_UE_MINOR >= 5
    void SetNumZeroed(int32 Count, EAllowShrinking) { SetNumZeroed(Count); }
    void SetNumZeroed(int32 Count, bool) = delete;  // deprecated since 5.5
#else
    void SetNumZeroed(int32 Count, bool) { SetNumZeroed(Count); }
#endif
    T* GetData() { return Items.data(); }
    const T* GetData() const { return Items.data(); }
    T& operator[](int32 Index) { return Items.at(static_cast<size_t>(Index)); }
    const T& operator[](int32 Index) const { return Items.at(static_cast<size_t>(Index)); }
    int32 Find(const T& Value) const {
        const auto At = std::find(Items.begin(), Items.end(), Value);
        return At == Items.end() ? -1 : static_cast<int32>(At - Items.begin());
    }
    bool Contains(const T& Value) const { return Find(Value) >= 0; }
    template <typename P>
    bool ContainsByPredicate(P Predicate) const {
        return std::any_of(Items.begin(), Items.end(), Predicate);
    }
    template <typename P>
    int32 RemoveAll(P Predicate) {
        const auto From = std::remove_if(Items.begin(), Items.end(), Predicate);
        const auto Removed = static_cast<int32>(Items.end() - From);
        Items.erase(From, Items.end());
        return Removed;
    }
    auto begin() { return Items.begin(); }
    auto end() { return Items.end(); }
    auto begin() const { return Items.begin(); }
    auto end() const { return Items.end(); }

  private:
    std::vector<T> Items;
};

template <typename K, typename V>
struct TPair {
    K Key;
    V Value;
};

template <typename K, typename V>
class TMap {
  public:
    V& Add(const K& Key, const V& Value) {
        if (V* const There = Find(Key)) return *There = Value;
        Pairs.push_back(TPair<K, V>{Key, Value});
        return Pairs.back().Value;
    }
    V* Find(const K& Key) {
        for (auto& Pair : Pairs) {
            if (Pair.Key == Key) return &Pair.Value;
        }
        return nullptr;
    }
    const V* Find(const K& Key) const { return const_cast<TMap*>(this)->Find(Key); }
    V& FindOrAdd(const K& Key) {
        V* const There = Find(Key);
        return There != nullptr ? *There : Add(Key, V());
    }
    void Remove(const K& Key) {
        std::erase_if(Pairs, [&](const auto& Pair) { return Pair.Key == Key; });
    }
    void Empty() { Pairs.clear(); }
    int32 Num() const { return static_cast<int32>(Pairs.size()); }
    auto begin() { return Pairs.begin(); }
    auto end() { return Pairs.end(); }
    auto begin() const { return Pairs.begin(); }
    auto end() const { return Pairs.end(); }

  private:
    std::vector<TPair<K, V>> Pairs;
};
